#include "record/encoder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>

#include "record/decoder.h"

namespace sandtrap::record {
namespace {

using base::Instant;
constexpr Stream kStreams[] = {Stream::kInput, Stream::kOutput, Stream::kError};

Header sample_header() {
  Header header;
  header.start.micros = 1'700'000'000'123'456;
  header.kind = "exec";
  header.command = "echo \"hi\"\n\xff";
  header.env = {{"TERM", "xterm"}};
  header.session = "0123456789ab";
  header.sandbox = "ba9876543210";
  header.source_ip = "192.0.2.1";
  return header;
}

Instant at(std::int64_t micros) {
  return Instant(std::chrono::microseconds(micros));
}

struct Files {
  std::string cast;
  base::Bytes binary;
  void take(const Chunk& chunk) {
    base::append(binary, chunk.binary);
    cast += chunk.lines;
  }
};

struct Piece {
  int stream;
  base::Bytes data;
};

// Text with sequences of every length, and now and then bytes that are none.
rc::Gen<base::Bytes> piece_bytes() {
  const auto part = rc::gen::element<std::string>("a", "plain text, quite long", "\"\\\n\x1b[1m",
                                                  "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80",
                                                  "\xc2\x9b", "\xff", "\xc3", "\xe2\x82");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(part),
                      [](const std::vector<std::string>& parts) {
                        std::string all;
                        for (const auto& p : parts) all += p;
                        return base::to_bytes(all);
                      });
}

rc::Gen<std::vector<Piece>> pieces() {
  const auto bytes = rc::gen::oneOf(
      piece_bytes(), rc::gen::arbitrary<base::Bytes>(),
      rc::gen::container<base::Bytes>(rc::gen::element<std::uint8_t>(0xe2, 0x82, 0xac, 0xf0)));
  return rc::gen::container<std::vector<Piece>>(
      rc::gen::map(rc::gen::pair(rc::gen::inRange(0, 3), bytes), [](std::pair<int, base::Bytes> p) {
        return Piece{p.first, std::move(p.second)};
      }));
}

TEST(Encoder, AnyBytesInAnyFragmentationComeBackExactly) {
  EXPECT_TRUE(rc::check([] {
    const auto input = *pieces();
    Encoder encoder(sample_header(), at(0));
    Files files{encoder.header_line(), {}};
    base::Bytes expected[3];
    std::int64_t now = 0;
    for (const Piece& piece : input) {
      files.take(encoder.add(kStreams[piece.stream], piece.data, at(now += 7)));
      base::append(expected[piece.stream], piece.data);
    }
    files.take(encoder.finish(at(now)));
    const auto decoded = decode(files.cast, files.binary);
    RC_ASSERT(decoded.has_value());
    for (const Stream stream : kStreams) {
      RC_ASSERT(decoded->stream(stream) == expected[static_cast<std::size_t>(stream)]);
    }
    for (const char c : files.cast) {
      const auto byte = static_cast<unsigned char>(c);
      RC_ASSERT(byte == '\n' || (byte >= 0x20 && byte != 0x7f));
    }
  }));
}

TEST(Encoder, AFragmentedTextStaysText) {
  EXPECT_TRUE(rc::check([] {
    const std::string text = "na\xc3\xafve \xe2\x82\xac 5 \xf0\x9f\x98\x80!";
    const auto cuts = *rc::gen::container<std::vector<std::size_t>>(
        rc::gen::inRange<std::size_t>(0, text.size() + 1));
    std::vector<std::size_t> sorted(cuts);
    sorted.push_back(text.size());
    std::sort(sorted.begin(), sorted.end());
    Encoder encoder(sample_header(), at(0));
    Files files{encoder.header_line(), {}};
    std::size_t from = 0;
    for (const std::size_t cut : sorted) {
      const auto part = std::string_view(text).substr(from, cut - from);
      files.take(encoder.add(Stream::kOutput, base::as_bytes(part), at(1)));
      from = cut;
    }
    files.take(encoder.finish(at(2)));
    RC_ASSERT(files.binary.empty());
    const auto decoded = decode(files.cast, {});
    RC_ASSERT(decoded.has_value());
    RC_ASSERT(decoded->stream(Stream::kOutput) == base::to_bytes(text));
  }));
}

TEST(Encoder, EveryTruncationBehindTheHeaderIsARecording) {
  Encoder encoder(sample_header(), at(0));
  Files files{encoder.header_line(), {}};
  files.take(encoder.add(Stream::kInput, base::as_bytes("ls\r"), at(10)));
  files.take(encoder.add(Stream::kOutput, base::as_bytes("a\xff\xfe"), at(20)));
  files.cast += encoder.resize(100, 40, at(30));
  files.take(encoder.add(Stream::kError, base::as_bytes("oh \"no\"\r\n"), at(40)));
  std::size_t events = 0;
  for (std::size_t n = encoder.header_line().size(); n <= files.cast.size(); ++n) {
    const auto decoded = decode(std::string_view(files.cast).substr(0, n), files.binary);
    ASSERT_TRUE(decoded.has_value()) << n << ": " << decoded.error().context;
    ASSERT_GE(decoded->events.size(), events);
    events = decoded->events.size();
  }
  EXPECT_EQ(events, 4U);
}

TEST(Encoder, WritesTheDocumentedLines) {
  Encoder encoder(sample_header(), at(0));
  const auto text = encoder.add(Stream::kOutput, base::as_bytes("hi\r\n\x1b[K"), at(1'234'567));
  EXPECT_EQ(text.lines, "[1.234567, \"o\", \"hi\\r\\n\\u001b[K\"]\n");
  const auto raw = encoder.add(Stream::kInput, base::as_bytes("\x80\x81"), at(2'000'001));
  EXPECT_EQ(raw.lines, "[2.000001, \"I\", \"0+2\"]\n");
  EXPECT_EQ(raw.binary.size(), 2U);
  const auto more = encoder.add(Stream::kError, base::as_bytes("\xff"), at(2'000'002));
  EXPECT_EQ(more.lines, "[2.000002, \"E\", \"2+1\"]\n");
  EXPECT_EQ(encoder.resize(132, 50, at(5)), "[2.000002, \"r\", \"132x50\"]\n");
}

TEST(Encoder, AHeldSequenceComesOutAtTheEndAsBinary) {
  Encoder encoder(sample_header(), at(0));
  EXPECT_TRUE(encoder.add(Stream::kOutput, base::as_bytes("\xe2\x82"), at(1)).lines.empty());
  const Chunk last = encoder.finish(at(2));
  EXPECT_EQ(last.lines, "[0.000002, \"O\", \"0+2\"]\n");
  EXPECT_EQ(base::to_string(last.binary), "\xe2\x82");
  EXPECT_TRUE(encoder.finish(at(3)).lines.empty());
}

TEST(Encoder, TheHeaderCarriesTheIdentities) {
  const Encoder encoder(sample_header(), at(0));
  const auto value = boost::json::parse(encoder.header_line());
  EXPECT_EQ(value.at("version").as_int64(), 2);
  EXPECT_EQ(value.at("width").as_int64(), 80);
  EXPECT_EQ(value.at("timestamp").as_int64(), 1'700'000'000);
  EXPECT_EQ(value.at("env").at("TERM").as_string(), "xterm");
  EXPECT_EQ(value.at("command").as_string(), "echo \"hi\"\n\\xff");
  EXPECT_EQ(value.at("sandtrap").at("session").as_string(), "0123456789ab");
  EXPECT_EQ(value.at("sandtrap").at("start").as_string(), "2023-11-14T22:13:20.123456Z");
}

TEST(Decoder, RefusesWhatIsNotARecording) {
  const std::string header = Encoder(sample_header(), at(0)).header_line();
  EXPECT_FALSE(decode("", {}).has_value());
  EXPECT_FALSE(decode("{}\n", {}).has_value());
  EXPECT_FALSE(decode("{\"version\":1,\"width\":80}\n", {}).has_value());
  for (const char* bad : {"x\n", "[]\n", "[1.5, \"o\"]\n", "[-1.0, \"o\", \"\"]\n",
                          "[1.0, \"O\", \"0+1\"]\n", "[1.0, \"O\", \"18446744073709551615+2\"]\n",
                          "[1.0, \"O\", \"+\"]\n", "[1.0, \"oo\", \"\"]\n"}) {
    EXPECT_FALSE(decode(header + bad, {}).has_value()) << bad;
  }
}

// Debian's player is the judge of what an asciicast is.
TEST(Encoder, AsciinemaReplaysTextAndPassesOverTheRest) {
  if (std::system("command -v asciinema >/dev/null 2>&1") != 0) GTEST_SKIP() << "no asciinema";
  Encoder encoder(sample_header(), at(0));
  Files files{encoder.header_line(), {}};
  files.take(
      encoder.add(Stream::kOutput, base::as_bytes("\x1b[1mna\xc3\xafve\x1b[0m\r\n"), at(10)));
  files.take(encoder.add(Stream::kInput, base::as_bytes("ls\r"), at(11)));
  files.take(encoder.add(Stream::kOutput, base::as_bytes("\xff\xfe\xfd"), at(12)));
  files.take(encoder.add(Stream::kError, base::as_bytes("error\n"), at(13)));
  files.cast += encoder.resize(100, 40, at(14));
  files.take(encoder.add(Stream::kOutput, base::as_bytes("\xe2\x82\xac end\r\n"), at(15)));
  char dir[] = "/tmp/sandtrap-encoder.XXXXXX";
  ASSERT_NE(::mkdtemp(dir), nullptr);
  const std::string folder(dir);
  std::ofstream(folder + "/a.cast") << files.cast;
  // `cat` insists on a terminal to watch, which script(1) gives it.
  const std::string command = "LC_ALL=C.UTF-8 script -qec 'asciinema cat " + folder + "/a.cast > " +
                              folder + "/out 2>" + folder + "/err' /dev/null </dev/null >/dev/null";
  const int status = std::system(command.c_str());
  std::ifstream in(folder + "/out", std::ios::binary);
  const std::string shown{std::istreambuf_iterator<char>(in), {}};
  std::ifstream errors(folder + "/err");
  EXPECT_EQ(status, 0) << std::string{std::istreambuf_iterator<char>(errors), {}};
  EXPECT_EQ(shown, "\x1b[1mna\xc3\xafve\x1b[0m\r\n\xe2\x82\xac end\r\n");
  for (const char* name : {"/a.cast", "/out", "/err"}) ::unlink((folder + name).c_str());
  ::rmdir(dir);
}

}  // namespace
}  // namespace sandtrap::record

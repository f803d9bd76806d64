// The bridge between real pipes, terminals and sockets, and a recorder in place of SSH.
#include "gate/bridge.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

namespace sandtrap::gate {
namespace {

struct RecordingPort final : ChannelPort {
  std::size_t room_left = 1 << 20;
  std::string out, err;
  std::size_t taken = 0;
  std::int64_t held = 0, held_most = 0;
  bool ended = false, input_gone = false;
  std::string failure;

  std::size_t room(ssh::ChannelId) override { return room_left; }
  std::size_t output(ssh::ChannelId, ssh::Stream stream, base::ByteView data) override {
    const std::size_t n = std::min(room_left, data.size());
    (stream == ssh::Stream::kError ? err : out) += base::as_text(data.first(n));
    room_left -= n;
    return n;
  }
  void consumed(ssh::ChannelId, std::size_t n) override { taken += n; }
  void output_ended(ssh::ChannelId, std::size_t) override { ended = true; }
  void input_closed(ssh::ChannelId) override { input_gone = true; }
  void failed(ssh::ChannelId, const base::Error& error) override { failure = error.context; }
  bool hold_input(std::int64_t difference) override {
    held += difference;
    held_most = std::max(held_most, held);
    return true;
  }
  void settle() override {}
};

struct Ends {  // of a pipe or a socket pair: ours and the program's
  base::Fd ours, program;
};
Ends pipe_to_program() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {base::Fd(fds[1]), base::Fd(fds[0])};
}
Ends pipe_from_program() {
  int fds[2];
  EXPECT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  return {base::Fd(fds[0]), base::Fd(fds[1])};
}

void put(const base::Fd& fd, const std::string& text) {
  ASSERT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string take(const base::Fd& fd, std::size_t size) {
  std::string text;
  char block[65536];
  while (text.size() < size) {
    const ssize_t n = ::read(fd.get(), block, std::min(sizeof block, size - text.size()));
    if (n <= 0) break;
    text.append(block, static_cast<std::size_t>(n));
  }
  return text;
}

class BridgeTest : public ::testing::Test {
 protected:
  BridgeTest() : scratch_(64 * 1024) { std::signal(SIGPIPE, SIG_IGN); }

  void begin(ProgramStreams streams, std::optional<RecordingWriter> recording = std::nullopt) {
    bridge_ = std::make_shared<Bridge>(loop_.get_executor(), port_, std::move(streams),
                                       std::move(recording), Bridge::Options{0, true, scratch_});
    bridge_->start();
  }
  void begin_with_pipes() {
    in_ = pipe_to_program();
    out_ = pipe_from_program();
    err_ = pipe_from_program();
    ProgramStreams streams;
    streams.input = std::move(in_.ours);
    streams.output = std::move(out_.ours);
    streams.error = std::move(err_.ours);
    begin(std::move(streams));
  }
  bool until(const std::function<bool()>& done) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done()) {
      if (std::chrono::steady_clock::now() > end) return false;
      loop_.restart();
      loop_.run_for(std::chrono::milliseconds(2));
    }
    return true;
  }
  void send(const std::string& text) { bridge_->input(base::as_bytes(text)); }

  boost::asio::io_context loop_;
  base::Bytes scratch_;
  RecordingPort port_;
  Ends in_, out_, err_;
  std::shared_ptr<Bridge> bridge_;
};

TEST_F(BridgeTest, PipesCarryThreeStreams) {
  begin_with_pipes();
  put(out_.program, "out");
  put(err_.program, "err");
  ASSERT_TRUE(until([&] { return port_.out == "out" && port_.err == "err"; }));
  send("in");
  EXPECT_EQ(take(in_.program, 2), "in");
  EXPECT_EQ(port_.taken, 2U);
  bridge_->input_ended();
  EXPECT_EQ(take(in_.program, 1), "");  // end of file
  out_.program.reset();
  bridge_->feed();
  EXPECT_FALSE(port_.ended);  // the other stream is open yet
  err_.program.reset();
  ASSERT_TRUE(until([&] { return port_.ended; }));
  EXPECT_EQ(bridge_->totals().in, 2U);
  EXPECT_EQ(bridge_->totals().out, 3U);
  EXPECT_EQ(bridge_->totals().error, 3U);
}

TEST_F(BridgeTest, NoRoomNoRead) {
  port_.room_left = 10;
  begin_with_pipes();
  put(out_.program, "0123456789abcdef");
  ASSERT_TRUE(until([&] { return bridge_->starved(); }));
  EXPECT_EQ(port_.out, "0123456789");
  put(out_.program, "ghi");
  out_.program.reset();
  err_.program.reset();
  // The rest stays in the pipe, and the end behind it, until the client opens its window.
  EXPECT_FALSE(port_.ended);
  port_.room_left = 100;
  bridge_->feed();
  ASSERT_TRUE(until([&] { return port_.ended; }));
  EXPECT_EQ(port_.out, "0123456789abcdefghi");
}

TEST_F(BridgeTest, EarlyOutputBeyondTheWindowWaitsInOrder) {
  in_ = pipe_to_program();
  out_ = pipe_from_program();
  err_ = pipe_from_program();
  ProgramStreams streams;
  streams.input = std::move(in_.ours);
  streams.output = std::move(out_.ours);
  streams.error = std::move(err_.ours);
  streams.early_output = base::to_bytes("early output");
  port_.room_left = 5;
  put(out_.program, " and late");
  out_.program.reset();
  err_.program.reset();
  begin(std::move(streams));
  EXPECT_EQ(port_.out, "early");
  EXPECT_TRUE(bridge_->starved());
  for (int i = 0; i < 100 && !port_.ended; ++i) {
    port_.room_left = 1;
    bridge_->feed();
  }
  EXPECT_TRUE(port_.ended);
  EXPECT_EQ(port_.out, "early output and late");
}

TEST_F(BridgeTest, InputThatTheProgramDoesNotTakeIsHeldAndConsumedOnlyWhenWritten) {
  begin_with_pipes();
  const std::string block(300'000, 'x');  // more than a pipe holds
  send(block);
  const std::size_t first = port_.taken;
  EXPECT_LT(first, block.size());
  EXPECT_EQ(port_.held, static_cast<std::int64_t>(block.size() - first));
  send("end");
  bridge_->input_ended();
  std::string got;
  ::fcntl(in_.program.get(), F_SETFL, O_NONBLOCK);
  ASSERT_TRUE(until([&] {
    got += take(in_.program, 100'000);
    return got.size() == block.size() + 3;
  }));
  EXPECT_TRUE(got == block + "end");
  EXPECT_EQ(port_.taken, got.size());
  EXPECT_EQ(port_.held, 0);
  char byte = 0;
  EXPECT_EQ(::read(in_.program.get(), &byte, 1), 0);  // and then the end of file
}

TEST_F(BridgeTest, AProgramThatClosesItsInputIsReportedAndTheRestDropped) {
  begin_with_pipes();
  send(std::string(300'000, 'x'));
  in_.program.reset();
  ASSERT_TRUE(until([&] { return port_.input_gone; }));
  EXPECT_EQ(port_.taken, 300'000U);
  EXPECT_EQ(port_.held, 0);
  send("more");
  EXPECT_EQ(port_.taken, 300'004U);
  put(out_.program, "still talking");
  EXPECT_TRUE(until([&] { return port_.out == "still talking"; }));
}

TEST_F(BridgeTest, TerminalEndsWithEioAndIgnoresTheClientsEof) {
  int master = -1, slave = -1;
  ASSERT_EQ(::openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  base::Fd program(slave);
  ProgramStreams streams;
  streams.input = base::Fd(master);
  streams.terminal = true;
  begin(std::move(streams));
  put(program, "prompt\n");
  ASSERT_TRUE(until([&] { return port_.out == "prompt\r\n"; }));
  bridge_->input_ended();
  send("ls\n");
  EXPECT_EQ(take(program, 3), "ls\n");
  EXPECT_FALSE(port_.ended);
  program.reset();  // the last user of the slave: the master reads EIO
  ASSERT_TRUE(until([&] { return port_.ended; }));
  EXPECT_EQ(port_.failure, "");
}

std::string frame(char stream, const std::string& data) {
  std::string header = {stream, 0, 0, 0, 0, 0, 0, static_cast<char>(data.size())};
  return header + data;
}

TEST_F(BridgeTest, EngineSocketIsDemultiplexedAndHalfClosed) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const base::Fd engine(fds[1]);
  const std::string second = frame(2, "bad");
  ProgramStreams streams;
  streams.input = base::Fd(fds[0]);
  streams.multiplexed = true;
  streams.early_output = base::to_bytes(frame(1, "hello ") + second.substr(0, 4));
  begin(std::move(streams));
  put(engine, second.substr(4) + frame(1, "world"));
  ASSERT_TRUE(until([&] { return port_.out == "hello world" && port_.err == "bad"; }));
  send("plain");
  EXPECT_EQ(take(engine, 5), "plain");  // not framed towards the engine
  bridge_->input_ended();
  EXPECT_EQ(take(engine, 1), "");
  put(engine, frame(1, "!"));
  ASSERT_TRUE(until([&] { return port_.out == "hello world!"; }));
  EXPECT_FALSE(port_.ended);
  ::shutdown(engine.get(), SHUT_WR);
  ASSERT_TRUE(until([&] { return port_.ended; }));
}

TEST_F(BridgeTest, ABrokenEngineStreamFails) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const base::Fd engine(fds[1]);
  ProgramStreams streams;
  streams.input = base::Fd(fds[0]);
  streams.multiplexed = true;
  begin(std::move(streams));
  put(engine, "HTTP/1.1 500 Internal Server Error\r\n");
  ASSERT_TRUE(until([&] { return !port_.failure.empty(); }));
  EXPECT_EQ(port_.out, "");
}

class RecordedBridge : public BridgeTest {
 protected:
  RecordedBridge() {
    char path[] = "/tmp/bridge_test.XXXXXX";
    EXPECT_NE(::mkdtemp(path), nullptr);
    folder_ = path;
  }
  ~RecordedBridge() override { std::filesystem::remove_all(folder_); }
  RecordingWriter writer(const std::string& cast) {
    constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC;
    auto begun =
        RecordingWriter::begin(base::Fd(::open(cast.c_str(), kAppend, 0600)),
                               base::Fd(::open((folder_ + "/x.bin").c_str(), kAppend, 0600)),
                               "x.cast", record::Header{}, base::monotonic_now());
    EXPECT_TRUE(begun);
    return std::move(*begun);
  }
  std::string text(const std::string& name) {
    std::ifstream in(folder_ + "/" + name, std::ios::binary);
    std::ostringstream all;
    all << in.rdbuf();
    return all.str();
  }
  std::string folder_;
};

TEST_F(RecordedBridge, EveryByteIsOnFileBeforeItTravels) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  base::Fd program(fds[1]);
  ProgramStreams streams;
  streams.input = base::Fd(fds[0]);
  port_.room_left = 4;  // less than what comes: recorded all the same
  begin(std::move(streams), writer(folder_ + "/x.cast"));
  put(program, "four");
  ASSERT_TRUE(until([&] { return port_.out == "four"; }));
  send("typed");
  bridge_->resize(132, 43);
  EXPECT_EQ(bridge_->close(), "x.cast");
  EXPECT_EQ(bridge_->close(), "");
  const std::string cast = text("x.cast");
  EXPECT_NE(cast.find("\"o\", \"four\"]\n"), std::string::npos) << cast;
  EXPECT_NE(cast.find("\"i\", \"typed\"]\n"), std::string::npos) << cast;
  EXPECT_NE(cast.find("\"r\", \"132x43\"]\n"), std::string::npos) << cast;
}

TEST_F(RecordedBridge, BinaryOutputIsExactInTheSidecar) {
  in_ = pipe_to_program();
  out_ = pipe_from_program();
  err_ = pipe_from_program();
  ProgramStreams streams;
  streams.input = std::move(in_.ours);
  streams.output = std::move(out_.ours);
  streams.error = std::move(err_.ours);
  begin(std::move(streams), writer(folder_ + "/x.cast"));
  const std::string binary("\x00\xff\xfe\x80garbage\x00\x01", 13);
  put(out_.program, binary);
  ASSERT_TRUE(until([&] { return port_.out == binary; }));
  bridge_->close();
  EXPECT_EQ(text("x.bin"), binary);
}

TEST_F(RecordedBridge, ARecordingEndsAtItsLimitAndNothingTravelsUnrecorded) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const base::Fd program(fds[1]);
  ProgramStreams streams;
  streams.input = base::Fd(fds[0]);
  RecordingWriter recording = writer(folder_ + "/x.cast");
  recording.limit(100);
  const auto header = text("x.cast").size();
  begin(std::move(streams), std::move(recording));
  put(program, std::string(40, 'a'));
  ASSERT_TRUE(until([&] { return port_.out.size() == 40; }));
  put(program, std::string(60, 'b'));
  ASSERT_TRUE(until([&] { return !port_.failure.empty(); }));
  EXPECT_NE(port_.failure.find("recording.max_bytes"), std::string::npos) << port_.failure;
  EXPECT_EQ(port_.out, std::string(40, 'a'));
  EXPECT_LE(text("x.cast").size() - header, 100U);
}

TEST_F(RecordedBridge, WhatCannotBeRecordedDoesNotTravel) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const base::Fd program(fds[1]);
  RecordingWriter recording = writer(folder_ + "/x.cast");
  const base::Fd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  // The disk fills up behind the header: put the full device where the file was.
  int cast = -1;
  for (int fd = 3; fd < 64; ++fd) {
    char target[256];
    const ssize_t n = ::readlink(("/proc/self/fd/" + std::to_string(fd)).c_str(), target, 256);
    if (n > 0 && std::string(target, static_cast<std::size_t>(n)).ends_with("/x.cast")) cast = fd;
  }
  ASSERT_GE(cast, 0);
  ASSERT_EQ(::dup3(full.get(), cast, O_CLOEXEC), cast);
  ProgramStreams streams;
  streams.input = base::Fd(fds[0]);
  begin(std::move(streams), std::move(recording));
  put(program, "lost");
  ASSERT_TRUE(until([&] { return !port_.failure.empty(); }));
  EXPECT_EQ(port_.out, "");
  EXPECT_NE(port_.failure.find("No space left"), std::string::npos) << port_.failure;
  send("neither");
  EXPECT_EQ(port_.taken, 7U);
  char byte = 0;
  EXPECT_EQ(::recv(program.get(), &byte, 1, MSG_DONTWAIT), -1);
}

}  // namespace
}  // namespace sandtrap::gate

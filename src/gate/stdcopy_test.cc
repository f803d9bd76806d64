#include "gate/stdcopy.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sandtrap::gate {
namespace {

using base::Bytes;
using base::ByteView;

Bytes frame(std::uint8_t stream, ByteView payload) {
  const auto length = static_cast<std::uint32_t>(payload.size());
  Bytes out = {stream,
               0,
               0,
               0,
               static_cast<std::uint8_t>(length >> 24),
               static_cast<std::uint8_t>(length >> 16),
               static_cast<std::uint8_t>(length >> 8),
               static_cast<std::uint8_t>(length)};
  base::append(out, payload);
  return out;
}

struct Split {
  Bytes out, err;
  bool broken = false, whole = false;
};

// Feeds `wire` cut at the given sizes (cyclically; 0 is an empty read).
Split decode(const Bytes& wire, const std::vector<std::uint8_t>& cuts) {
  StdcopyDecoder decoder;
  Split split;
  ByteView left = wire;
  for (std::size_t i = 0; !left.empty(); ++i) {
    std::size_t n = cuts.empty() ? left.size() : cuts[i % cuts.size()];
    if (!cuts.empty() && i % cuts.size() == 0) n += 1;  // always goes on
    n = std::min(n, left.size());
    ByteView part = left.first(n);
    left = left.subspan(n);
    while (const auto piece = decoder.next(part)) {
      EXPECT_FALSE(piece->data.empty());
      const bool error = piece->stream == StdcopyDecoder::Stream::kError;
      base::append(error ? split.err : split.out, piece->data);
    }
    EXPECT_TRUE(part.empty());
  }
  split.broken = decoder.broken();
  split.whole = decoder.at_boundary();
  return split;
}

TEST(Stdcopy, AnyFragmentationGivesTheSameBytes) {
  EXPECT_TRUE(rc::check(
      [](const std::vector<std::pair<bool, Bytes>>& frames, const std::vector<std::uint8_t>& cuts) {
        Bytes wire;
        Bytes out;
        Bytes err;
        for (const auto& [is_error, payload] : frames) {
          base::append(wire, frame(is_error ? 2 : 1, payload));
          base::append(is_error ? err : out, payload);
        }
        const Split split = decode(wire, cuts);
        RC_ASSERT(split.out == out);
        RC_ASSERT(split.err == err);
        RC_ASSERT(!split.broken);
        RC_ASSERT(split.whole);
      }));
}

TEST(Stdcopy, AnyBytesLeaveItStandingAndCutAlike) {
  EXPECT_TRUE(rc::check([](Bytes wire, const std::vector<std::uint8_t>& cuts) {
    if (wire.size() > 3) wire[0] = static_cast<std::uint8_t>(wire[0] % 4);
    if (wire.size() > 3) wire[1] = wire[2] = wire[3] = 0;
    if (wire.size() > 6) wire[4] = wire[5] = wire[6] = 0;
    const Split all = decode(wire, {});
    const Split cut = decode(wire, cuts);
    RC_ASSERT(all.out == cut.out);
    RC_ASSERT(all.err == cut.err);
    RC_ASSERT(all.broken == cut.broken);
    RC_ASSERT(all.whole == cut.whole);
  }));
}

TEST(Stdcopy, EngineComplaintsAreDroppedAndStdinIsOutput) {
  Bytes wire = frame(3, base::as_bytes("OCI runtime exec failed"));
  base::append(wire, frame(0, base::as_bytes("in")));
  base::append(wire, frame(2, base::as_bytes("err")));
  const Split split = decode(wire, {1});
  EXPECT_EQ(base::to_string(split.out), "in");
  EXPECT_EQ(base::to_string(split.err), "err");
}

TEST(Stdcopy, ABadHeaderBreaksItForGood) {
  for (std::size_t at = 0; at < 4; ++at) {
    Bytes wire = frame(1, base::as_bytes("a"));
    wire[at] = 9;
    base::append(wire, frame(1, base::as_bytes("b")));
    const Split split = decode(wire, {3});
    EXPECT_TRUE(split.broken);
    EXPECT_TRUE(split.out.empty());
  }
}

TEST(Stdcopy, ATornFrameShows) {
  Bytes wire = frame(1, base::as_bytes("abc"));
  wire.pop_back();
  EXPECT_FALSE(decode(wire, {}).whole);
  EXPECT_EQ(base::to_string(decode(wire, {}).out), "ab");
  EXPECT_FALSE(decode(Bytes{1, 0, 0}, {}).whole);
}

// A length of 4 GiB costs nothing: there is no buffer.
TEST(Stdcopy, HugeLengthNeedsNoMemory) {
  const Bytes wire = {1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 'x'};
  EXPECT_EQ(base::to_string(decode(wire, {2}).out), "x");
}

}  // namespace
}  // namespace sandtrap::gate

// Random lives of many channels: whatever the client and the programs do, in any order, what the
// server says stays within the protocol.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <random>

#include "ssh/connection.h"
#include "ssh/connection_recorder_test.h"
#include "support/ssh_client.h"

namespace sandtrap::ssh {
namespace {

const std::vector<HostKey> kNoKeys;

// The client's books: checks every packet of the server against them.
class Books final : public PacketSink {
 public:
  struct Entry {
    ChannelId id = 0;
    std::uint64_t granted = 0;  // what the server may still send
    std::uint64_t window = 0;   // what we may still send
    std::uint32_t max_packet = 0;
    bool eof = false, closed = false, close_sent = false;
  };
  std::map<std::uint32_t, Entry> entries;  // by our number
  std::uint32_t window_limit = 0;
  bool died = false;

  void send(ByteView payload) override { check(payload); }
  void send(ByteView head, ByteView body) override {
    Bytes whole(head.begin(), head.end());
    base::append(whole, body);
    check(whole);
  }
  void unimplemented(std::uint32_t) override { RC_FAIL("unimplemented"); }
  void disconnect(std::string_view text, std::string_view) override { RC_FAIL(std::string(text)); }
  void close_silently(std::string_view) override { died = true; }

 private:
  void check(ByteView payload) {
    Reader in(payload.subspan(1));
    const std::uint32_t number = in.u32();
    const auto found = entries.find(number);
    RC_ASSERT(found != entries.end());
    Entry& entry = found->second;
    RC_ASSERT(!entry.closed);  // nothing follows a CLOSE
    switch (payload[0]) {
      case message::kChannelOpenConfirmation:
        entry.id = in.u32();
        for (const auto& [other, e] : entries) RC_ASSERT(other == number || e.id != entry.id);
        break;
      case message::kChannelOpenFailure:
        RC_ASSERT(entries.size() > 10U);
        entries.erase(found);
        break;
      case message::kChannelWindowAdjust:
        entry.window += in.u32();
        RC_ASSERT(entry.window <= window_limit);
        break;
      case message::kChannelExtendedData:
        in.u32();
        [[fallthrough]];
      case message::kChannelData: {
        const std::size_t size = in.string().size();
        RC_ASSERT(in.done());
        RC_ASSERT(!entry.eof && size > 0);
        RC_ASSERT(size <= entry.granted && size <= entry.max_packet);
        entry.granted -= size;
        break;
      }
      case message::kChannelEof:
        RC_ASSERT(!entry.eof);
        entry.eof = true;
        break;
      case message::kChannelClose:
        entry.closed = true;
        if (entry.close_sent) entries.erase(found);
        break;
      default:
        break;
    }
  }
};

class Life {
 public:
  Life() {
    profile_.status_first_quiet = profile_.status_first_output = 500;
    profile_.window = books_.window_limit = 200000;
    connection_.emplace(profile_, kNoKeys, books_, events_, entropy_,
                        ConnectionPeer{"admin", "OpenSSH_9.2p1", {}, "ssh-ed25519", "", 22});
  }

  void step(int operation, std::uint32_t a, std::uint32_t b) {
    act(operation, a, b);
    connection_->collect();
    take_events();
  }
  bool died() const { return books_.died; }
  std::size_t memory() const { return connection_->memory_used(); }

 private:
  void act(int operation, std::uint32_t a, std::uint32_t b) {
    now_ += std::chrono::milliseconds(a % 64);
    if (operation == 0) return open(a, b);
    if (books_.entries.empty()) return;
    auto it = books_.entries.begin();
    std::advance(it, a % books_.entries.size());
    const std::uint32_t number = it->first;
    Books::Entry& entry = it->second;
    const ChannelId id = entry.id;
    // Packets wait while a program is being started.
    if (connection_->waiting()) return answer(b);
    switch (operation) {
      case 1:
        return client_data(entry, b);
      case 2:
        entry.granted += b % 5000;
        return packet(Writer(message::kChannelWindowAdjust).u32(id).u32(b % 5000));
      case 3:
        if (!entry.close_sent) packet(Writer(message::kChannelEof).u32(id));
        return;
      case 4:
        return client_close(number, entry);
      case 5:
        if (entry.close_sent) return;
        return packet(Writer(98).u32(id).string("exec").boolean(b % 2 == 0).string("x"));
      case 6:
        return connection_->consumed(id, b % 70000);
      case 7: {
        const Bytes data(std::min<std::size_t>(connection_->room(id), b % 70000), 'x');
        return connection_->output(id, b % 3 == 0 ? Stream::kError : Stream::kOutput, data);
      }
      case 8:
        return connection_->output_eof(id, b % 3);
      case 9:
        return connection_->exited(id, ExitStatus{b});
      case 10:
        return connection_->input_closed(id);
      case 11:
        if (!entry.close_sent) packet(Writer(98).u32(id).string("eow@openssh.com").boolean(false));
        return;
      default:
        return connection_->tick(now_);
    }
  }
  void packet(const Writer& w) { connection_->handle(Packet{0, w.view()}); }
  void take_events() {
    for (const Event& event : std::exchange(events_, {})) {
      if (const auto* input = std::get_if<ChannelInput>(&event)) {
        RC_ASSERT(input->data.size() <= profile_.max_packet);
      } else if (const auto* closed = std::get_if<ChannelClosed>(&event)) {
        for (const auto& [number, e] : books_.entries) {
          RC_ASSERT(e.id != closed->channel || (e.closed && e.close_sent));
        }
      }
    }
  }
  void open(std::uint32_t a, std::uint32_t b) {
    if (connection_->waiting()) return answer(b);
    if (books_.entries.size() > 11) return;
    const std::uint32_t number = next_number_++;
    books_.entries[number] = {1000 + number, b % 100000, 0, a % 40000, false, false, false};
    Writer w(message::kChannelOpen);
    w.string("session").u32(number).u32(b % 100000).u32(a % 40000);
    packet(w);
  }
  void answer(std::uint32_t b) {
    for (const auto& [number, e] : books_.entries) connection_->submit_program(e.id, b % 8 != 0);
  }
  void client_data(Books::Entry& entry, std::uint32_t b) {
    if (entry.close_sent) return;
    const std::size_t size = std::min<std::size_t>(b % 32769, entry.window);
    entry.window -= size;
    packet(Writer(message::kChannelData).u32(entry.id).string(Bytes(size)));
  }
  void client_close(std::uint32_t number, Books::Entry& entry) {
    if (entry.close_sent) return;
    entry.close_sent = true;
    const ChannelId id = entry.id;
    if (entry.closed) books_.entries.erase(number);
    packet(Writer(message::kChannelClose).u32(id));
  }

  Profile profile_;
  Books books_;
  test::SeededEntropy entropy_{5};
  std::vector<Event> events_;
  std::optional<Connection> connection_;
  std::uint32_t next_number_ = 0;
  Instant now_{std::chrono::hours(1)};
};

TEST(ChannelProperty, AThousandRandomOperationsKeepToTheProtocol) {
  EXPECT_TRUE(rc::check([] {
    // One seed, not a thousand numbers: there would be no end to shrinking them.
    std::mt19937_64 random(*rc::gen::noShrink(rc::gen::arbitrary<std::uint32_t>()));
    Life life;
    for (int i = 0; i < 1000 && !life.died(); ++i) {
      const auto operation = static_cast<int>(random() % 14);
      const auto a = static_cast<std::uint32_t>(random());
      const auto b = static_cast<std::uint32_t>(random());
      life.step(operation, a, b);
      RC_ASSERT(life.memory() < 16384U);
    }
  }));
}

}  // namespace
}  // namespace sandtrap::ssh

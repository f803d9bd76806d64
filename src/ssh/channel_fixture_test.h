// For tests of one session channel: a Connection over a packet recorder.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "ssh/connection.h"
#include "ssh/connection_recorder_test.h"
#include "support/ssh_client.h"

namespace sandtrap::ssh {

inline const std::vector<HostKey> kNoKeys;

// One session, number 0 here and 7 at the client.
class ChannelTest : public ::testing::Test {
 protected:
  ChannelTest() { profile_.window = 1000000; }

  Connection& connection() {
    if (!connection_) {
      connection_.emplace(profile_, kNoKeys, sink_, events_, entropy_,
                          ConnectionPeer{user_, software_, {}, "ssh-ed25519", "", 0});
    }
    return *connection_;
  }
  Lines after(const Writer& w) {
    payload_ = w.bytes();
    connection().handle(Packet{1, payload_});
    connection().collect();
    return sink_.take();
  }
  Lines taken() {
    connection().collect();
    return sink_.take();
  }
  void open(std::uint32_t window = 1U << 20, std::uint32_t max_packet = 32768) {
    after(Writer(message::kChannelOpen).string("session").u32(7).u32(window).u32(max_packet));
    events_.clear();
  }
  static Writer request(std::string_view type, bool want_reply = true) {
    Writer w(message::kChannelRequest);
    w.u32(0).string(type).boolean(want_reply);
    return w;
  }
  void run(const Writer& program = request("exec").string("cat")) {
    after(program);
    events_.clear();
    connection().submit_program(0, true);
    sink_.take();
  }
  static Writer data(std::size_t size) {
    Writer w(message::kChannelData);
    w.u32(0).string(std::string(size, 'x'));
    return w;
  }
  Lines output(std::string_view text, Stream stream = Stream::kOutput) {
    connection().output(0, stream, base::as_bytes(text));
    return sink_.take();
  }
  Lines finish(const Exit& exit = ExitStatus{0}) {
    connection().output_eof(0);
    connection().exited(0, exit);
    connection().collect();
    return sink_.take();
  }
  static Writer pty(std::string_view modes = std::string_view("\x80\0\0\x96\0\0", 6)) {
    return request("pty-req").string("xterm").u32(80).u32(24).u32(640).u32(480).string(modes);
  }

  Profile profile_;
  PacketRecorder sink_;
  test::SeededEntropy entropy_{1};
  std::vector<Event> events_;
  std::string user_ = "admin", software_ = "OpenSSH_9.2p1";
  std::optional<Connection> connection_;
  Bytes payload_;
};

}  // namespace sandtrap::ssh

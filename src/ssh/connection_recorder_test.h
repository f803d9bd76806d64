// For tests of the layers above the transport: a PacketSink that keeps what was sent, as one
// readable line per packet.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "ssh/channel_messages.h"
#include "ssh/transport.h"
#include "ssh/wire.h"

namespace sandtrap::ssh {

// "ADJUST 7 2097152", "DATA 7 abc", "EXIT-STATUS 7 0", "FAILURE publickey,password"…
inline std::string describe_packet(ByteView payload) {
  if (payload.empty()) return "EMPTY";
  Reader in(payload.subspan(1));
  const auto text = [&in] { return std::string(base::as_text(in.string())); };
  switch (payload[0]) {
    case message::kDebug:
      in.byte();
      return "DEBUG " + text();
    case message::kServiceAccept:
      return "SERVICE_ACCEPT " + text();
    case message::kUserauthFailure:
      return "AUTH_FAILURE " + text();
    case message::kUserauthSuccess:
      return "AUTH_SUCCESS";
    case message::kGlobalRequest:
      return "GLOBAL " + text();
    case message::kRequestSuccess:
      return fmt::format("REQUEST_SUCCESS {}", base::to_hex(in.rest()));
    case message::kRequestFailure:
      return "REQUEST_FAILURE";
    case message::kChannelOpenConfirmation: {
      const std::uint32_t to = in.u32(), id = in.u32(), window = in.u32(), max = in.u32();
      return fmt::format("OPENED {} {} {} {}", to, id, window, max);
    }
    case message::kChannelOpenFailure: {
      const std::uint32_t to = in.u32(), reason = in.u32();
      return fmt::format("OPEN_FAILURE {} {} {}", to, reason, text());
    }
    case message::kChannelWindowAdjust: {
      const std::uint32_t to = in.u32();
      return fmt::format("ADJUST {} {}", to, in.u32());
    }
    case message::kChannelData: {
      const std::uint32_t to = in.u32();
      return fmt::format("DATA {} {}", to, text());
    }
    case message::kChannelExtendedData: {
      const std::uint32_t to = in.u32(), code = in.u32();
      return fmt::format("ERROR {} {} {}", to, code, text());
    }
    case message::kChannelEof:
      return fmt::format("EOF {}", in.u32());
    case message::kChannelClose:
      return fmt::format("CLOSE {}", in.u32());
    case message::kChannelSuccess:
      return fmt::format("SUCCESS {}", in.u32());
    case message::kChannelFailure:
      return fmt::format("FAILURE {}", in.u32());
    case message::kChannelRequest: {
      const std::uint32_t to = in.u32();
      const std::string type = text();
      const bool reply = in.boolean();
      if (type == "exit-status") return fmt::format("EXIT-STATUS {} {} {}", to, reply, in.u32());
      if (type == "exit-signal") {
        const std::string name = text();
        const bool core = in.boolean();
        return fmt::format("EXIT-SIGNAL {} {} {} {}", to, reply, name, core);
      }
      return fmt::format("REQUEST {} {} {}", to, reply, type);
    }
    default:
      return fmt::format("TYPE {} {}", payload[0], base::to_hex(payload.subspan(1)));
  }
}

class PacketRecorder final : public PacketSink {
 public:
  void send(ByteView payload) override { add(payload); }
  void send(ByteView head, ByteView body) override {
    Bytes whole(head.begin(), head.end());
    base::append(whole, body);
    add(whole);
  }
  void unimplemented(std::uint32_t sequence) override {
    lines_.push_back(fmt::format("UNIMPLEMENTED {}", sequence));
  }
  void disconnect(std::string_view text, std::string_view) override {
    lines_.push_back(fmt::format("DISCONNECT {}", text));
    closed_ = true;
  }
  void close_silently(std::string_view) override {
    lines_.emplace_back("CLOSE_SILENTLY");
    closed_ = true;
  }

  std::vector<std::string> take() { return std::exchange(lines_, {}); }
  bool closed() const { return closed_; }
  const Bytes& last_payload() const { return last_; }

 private:
  void add(ByteView payload) {
    last_.assign(payload.begin(), payload.end());
    lines_.push_back(describe_packet(payload));
  }
  std::vector<std::string> lines_;
  Bytes last_;
  bool closed_ = false;
};

using Lines = std::vector<std::string>;

// Takes the one event of type T that must be next.
template <class T>
T take_event(std::vector<Event>& events) {
  if (events.empty() || !std::holds_alternative<T>(events.front())) {
    throw std::runtime_error("another event expected");
  }
  T out = std::get<T>(std::move(events.front()));
  events.erase(events.begin());
  return out;
}

}  // namespace sandtrap::ssh

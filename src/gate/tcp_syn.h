// What a client's first segment says about the system that sent it: the kernel keeps the SYN's
// headers (TCP_SAVE_SYN) until they are asked for once. Hostile bytes; pure but for saved_syn().
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"

namespace sandtrap::gate {

struct TcpSyn {
  std::uint8_t ttl = 0;  // hop limit for IPv6; as it arrived
  std::uint16_t window = 0;
  std::vector<std::uint8_t> options;          // kinds, in their order
  std::optional<std::uint16_t> segment_size;  // MSS
  std::optional<std::uint8_t> window_scale;
};

// IP and TCP headers of one SYN, as TCP_SAVED_SYN gives them; nothing if they are not that.
std::optional<TcpSyn> parse_syn(base::ByteView headers);

// JA4T: window _ option kinds _ segment size _ window scale, e.g. "64240_2-4-8-1-3_1460_7"; "00"
// stands for what is not there.
std::string ja4t(const TcpSyn& syn);

// Of an accepted socket, once; empty when the listening socket did not save it.
base::Bytes saved_syn(int socket);

}  // namespace sandtrap::gate

#include "gate/traffic_profile.h"

#include <linux/tcp.h>  // glibc's tcp_info ends before the counters
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

namespace sandtrap::gate {
namespace {

std::uint32_t mode_of(std::vector<std::uint32_t>& lengths) {
  std::sort(lengths.begin(), lengths.end());
  std::uint32_t best = 0;
  std::ptrdiff_t most = 0;
  for (auto at = lengths.begin(); at != lengths.end();) {
    const auto next = std::upper_bound(at, lengths.end(), *at);
    if (next - at > most) {
      most = next - at;
      best = *at;
    }
    at = next;
  }
  return best;
}

}  // namespace

std::optional<AckCounts> bare_acknowledgements(int socket) {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return std::nullopt;
  return AckCounts{info.tcpi_segs_in - std::min(info.tcpi_segs_in, info.tcpi_data_segs_in),
                   info.tcpi_segs_out - std::min(info.tcpi_segs_out, info.tcpi_data_segs_out)};
}

std::string ja4ssh(const TrafficWindow& w) {
  const auto pair = [](std::uint64_t client, std::uint64_t server) {
    return 'c' + std::to_string(client) + 's' + std::to_string(server);
  };
  return pair(w.mode_in, w.mode_out) + '_' + pair(w.packets_in, w.packets_out) + '_' +
         pair(w.acks_in, w.acks_out);
}

std::optional<TrafficWindow> TrafficProfile::close(std::optional<AckCounts> acks) {
  if (in_.empty() && out_.empty()) return std::nullopt;
  TrafficWindow window;
  window.number = ++windows_;
  window.mode_in = mode_of(in_);
  window.mode_out = mode_of(out_);
  window.packets_in = static_cast<std::uint32_t>(in_.size());
  window.packets_out = static_cast<std::uint32_t>(out_.size());
  if (acks) {
    window.acks_in = acks->in - std::min(acks->in, before_.in);
    window.acks_out = acks->out - std::min(acks->out, before_.out);
    before_ = *acks;
  }
  in_.clear();
  out_.clear();
  return window;
}

}  // namespace sandtrap::gate

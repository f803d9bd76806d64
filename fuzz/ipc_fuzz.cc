// Any bytes as one packet between roles: every message that is taken from it survives its own
// encoding, and the packet gets shorter with each.
#include <cstddef>
#include <cstdint>

#include "ipc/messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sandtrap;
  base::ByteView packet(data, size);
  while (!packet.empty()) {
    const std::size_t before = packet.size();
    const auto message = ipc::take_message(packet);
    if (!message) return 0;
    SANDTRAP_CHECK(packet.size() < before);
    base::Bytes again;
    ipc::append_message(again, *message);
    base::ByteView view(again);
    const auto second = ipc::take_message(view);
    SANDTRAP_CHECK(second && view.empty() && second->index() == message->index());
    SANDTRAP_CHECK(ipc::encode(*second) == ipc::encode(*message));
  }
  return 0;
}

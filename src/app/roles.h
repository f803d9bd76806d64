// The three roles as values, and the descriptors that a role process is born with.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace sandtrap::app {

enum class RoleKind { kScribe, kWarden, kGate };  // in the order of starting

inline constexpr std::array<std::string_view, 3> kRoleNames = {"scribe", "warden", "gate"};

inline std::string_view name(RoleKind kind) {
  return kRoleNames[static_cast<std::size_t>(kind)];
}
inline std::optional<RoleKind> role_named(std::string_view text) {
  for (std::size_t i = 0; i < kRoleNames.size(); ++i) {
    if (kRoleNames[i] == text) return static_cast<RoleKind>(i);
  }
  return std::nullopt;
}

// Inherited descriptors of a role process.
inline constexpr int kControlFd = 3;   // net::Channel to the supervisor
inline constexpr int kSettingsFd = 4;  // memfd with the settings' text
inline constexpr int kLockFd = 5;      // held, not used: marks that this role still runs

}  // namespace sandtrap::app

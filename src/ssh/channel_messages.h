// Message numbers above the transport (RFC 4250 §4.1.2).
#pragma once

#include <cstdint>

namespace sandtrap::ssh::message {

inline constexpr std::uint8_t kDebug = 4;
inline constexpr std::uint8_t kServiceRequest = 5;
inline constexpr std::uint8_t kServiceAccept = 6;
inline constexpr std::uint8_t kUserauthRequest = 50;
inline constexpr std::uint8_t kUserauthFailure = 51;
inline constexpr std::uint8_t kUserauthSuccess = 52;
inline constexpr std::uint8_t kUserauthPkOk = 60;
inline constexpr std::uint8_t kUserauthInfoRequest = 60;
inline constexpr std::uint8_t kUserauthInfoResponse = 61;
inline constexpr std::uint8_t kGlobalRequest = 80;
inline constexpr std::uint8_t kRequestSuccess = 81;
inline constexpr std::uint8_t kRequestFailure = 82;
inline constexpr std::uint8_t kChannelOpen = 90;
inline constexpr std::uint8_t kChannelOpenConfirmation = 91;
inline constexpr std::uint8_t kChannelOpenFailure = 92;
inline constexpr std::uint8_t kChannelWindowAdjust = 93;
inline constexpr std::uint8_t kChannelData = 94;
inline constexpr std::uint8_t kChannelExtendedData = 95;
inline constexpr std::uint8_t kChannelEof = 96;
inline constexpr std::uint8_t kChannelClose = 97;
inline constexpr std::uint8_t kChannelRequest = 98;
inline constexpr std::uint8_t kChannelSuccess = 99;
inline constexpr std::uint8_t kChannelFailure = 100;

}  // namespace sandtrap::ssh::message

// Message numbers of the transport (RFC 4250 §4.1.2, RFC 4419 §5, RFC 8308 §2.3).
#pragma once

#include "ssh/channel_messages.h"

namespace sandtrap::ssh::message {

inline constexpr std::uint8_t kDisconnect = 1;
inline constexpr std::uint8_t kIgnore = 2;
inline constexpr std::uint8_t kUnimplemented = 3;
inline constexpr std::uint8_t kExtInfo = 7;
inline constexpr std::uint8_t kKexInit = 20;
inline constexpr std::uint8_t kNewKeys = 21;
inline constexpr std::uint8_t kKexEcdhInit = 30;  // and DH_INIT
inline constexpr std::uint8_t kKexEcdhReply = 31;
inline constexpr std::uint8_t kGexGroup = 31;
inline constexpr std::uint8_t kGexInit = 32;
inline constexpr std::uint8_t kGexReply = 33;
inline constexpr std::uint8_t kGexRequest = 34;
inline constexpr std::uint8_t kLastTransport = 49;
inline constexpr std::uint8_t kFirstLocal = 192;
inline constexpr std::uint8_t kPing = 192;  // OpenSSH PROTOCOL §1.9
inline constexpr std::uint8_t kPong = 193;

inline constexpr std::uint32_t kReasonProtocolError = 2;

}  // namespace sandtrap::ssh::message

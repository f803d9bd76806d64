// What a gate's request must look like beyond the codec's lengths, and its translation for the
// engine. Pure. A gate that breaks a rule here is compromised: nothing an attacker sends to an
// honest one leads there. What an attacker does choose (TERM, environment, command) is cleaned
// instead.
#pragma once

#include <optional>
#include <string_view>

#include "base/error.h"
#include "ipc/messages.h"
#include "sandbox/engine.h"

namespace sandtrap::warden {

// kDenied, or fine.
base::Status check_request(const ipc::Message& message);

// Clean values only: text ends at its first NUL (sshd's C strings), numbers of a terminal wrap at
// 16 bits (struct winsize), environment names are [A-Za-z_][A-Za-z0-9_]*.
sandbox::ProcessSpec to_spec(const ipc::OpenProcess& request);

// RFC 4254 §6.10's names; nullopt for others, which sshd ignores too.
std::optional<int> signal_number(std::string_view name);

}  // namespace sandtrap::warden

// What of a connection or a login leads to a case, in the words of cases::Table. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cases/table.h"
#include "config/settings.h"
#include "ipc/messages.h"

namespace sandtrap::warden {

using CaseId = std::string;  // 12 hex digits

cases::TableSettings table_settings(const config::Settings& settings);

cases::Key source_key(std::string_view ip, std::uint32_t ipv6_prefix);

// Of a password (keyboard-interactive too) and of a proven key; nothing else leads anywhere.
std::vector<cases::Key> login_keys(const ipc::Authenticate& login);

}  // namespace sandtrap::warden

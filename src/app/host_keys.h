// The three host key files of OpenSSH, under its names: ssh_host_{rsa,ecdsa,ed25519}_key and .pub.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace sandtrap::app {

enum class KeyFiles { kKeepExisting, kReplace };

// Makes the folder (0700) and the keys that are missing, or all; returns the paths it wrote.
// `kinds`: those of the persona (config::Persona::host_keys).
base::Result<std::vector<std::string>> make_host_keys(const std::string& folder, KeyFiles mode,
                                                      const std::vector<std::string>& kinds);
// Paths of private keys that exist in `folder`.
std::vector<std::string> existing_host_keys(const std::string& folder);

}  // namespace sandtrap::app

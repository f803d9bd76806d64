// What a sandbox's own accounts say about a login. The guest decides, by its own means (PAM's
// helper, ~/.ssh/authorized_keys as sshd reads it); out here no file of an attacker's is looked at.
#pragma once

#include <chrono>
#include <string>

#include "sandbox/engine.h"

namespace sandtrap::sandbox {

enum class AccountAnswer {
  kAccepted,
  kRefused,
  kNotOurs,  // no such account, or one whose password nobody has set: somebody else decides
};

struct AccountQuestion {
  ProcessKind kind = ProcessKind::kCheckPassword;  // or kCheckKey
  std::string user, client;                        // client: the peer's address
  std::string input;  // the password; or "TYPE BASE64" of the public key. At most kMaxInput.
  static constexpr std::size_t kMaxInput = 32 * 1024;
};

// kTimeout, kLimit (the sandbox is full) or why the program could not be started.
Task<base::Result<AccountAnswer>> ask_account(Sandbox& sandbox, AccountQuestion question,
                                              std::chrono::milliseconds limit);

}  // namespace sandtrap::sandbox

// Asks the machine that a case was given about its logins, and makes the hash that a password gets
// there. One question at a time per case; a case that asks faster than its machine answers is
// refused. Lives on the warden's loop; hashing has a thread of its own.
#pragma once

#include <boost/asio/thread_pool.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/entropy.h"
#include "base/log.h"
#include "ipc/messages.h"
#include "sandbox/account_check.h"
#include "warden/pool.h"
#include "warden/tasks.h"

namespace sandtrap::warden {

class Accounts {
 public:
  // All references outlive this.
  Accounts(net::asio::any_io_executor executor, SandboxPool& pool, base::Entropy& entropy,
           base::Log& log);
  Accounts(const Accounts&) = delete;
  Accounts& operator=(const Accounts&) = delete;

  // Whether there is anybody to ask: the case has a machine (running, frozen or put away), and the
  // login is of a kind that an account decides.
  bool concern(const std::string& case_id, const ipc::Authenticate& login) const;
  // Wakes the machine if it has to; the session holds it then. kNotOurs: the policy decides.
  net::Task<sandbox::AccountAnswer> ask(Claimant who, ipc::Authenticate login);
  // For /etc/shadow. Takes the time that a real server takes for an accepted password. Empty: it
  // has none, or too many wait.
  net::Task<std::string> hash(std::string password);

 private:
  struct Queue {
    explicit Queue(const net::asio::any_io_executor& executor) : changed(executor) {}
    bool busy = false;
    std::size_t waiting = 0;
    Signal changed;
  };
  net::Task<sandbox::AccountAnswer> ask_now(Claimant who, sandbox::AccountQuestion question);

  net::asio::any_io_executor executor_;
  SandboxPool& pool_;
  base::Entropy& entropy_;
  base::Log& log_;
  std::unordered_map<std::string, std::shared_ptr<Queue>> queues_;
  std::size_t hashing_ = 0;
  net::asio::thread_pool thread_{1};  // last: joins first
};

bool is_password_method(const std::string& method);

}  // namespace sandtrap::warden

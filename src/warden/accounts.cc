#include "warden/accounts.h"

#include <boost/asio/post.hpp>

#include "crypto/password_hash.h"
#include "warden/user_name.h"

namespace sandtrap::warden {
namespace {

using sandbox::AccountAnswer;
using sandbox::AccountQuestion;

constexpr std::size_t kMaxWaiting = 4;   // questions of one case, beside the one under way
constexpr std::size_t kMaxHashing = 64;  // half a minute's work at most

// The first field of a public key (RFC 4253 §6.6); its bytes become an argument of the guest's.
std::string key_type(const base::Bytes& blob) {
  constexpr std::size_t kLength = 4, kMaxType = 64;
  if (blob.size() < kLength || blob[0] != 0 || blob[1] != 0 || blob[2] != 0) return {};
  const std::size_t length = blob[3];
  if (length == 0 || length > kMaxType || blob.size() < kLength + length) return {};
  std::string type;
  for (std::size_t i = 0; i < length; ++i) {
    const auto c = static_cast<char>(blob[kLength + i]);
    if (c <= 0x20 || c >= 0x7f) return {};
    type.push_back(c);
  }
  return type;
}

struct Hashing {
  explicit Hashing(const net::asio::any_io_executor& executor) : changed(executor) {}
  std::string result;
  bool done = false;
  Signal changed;
};

}  // namespace

bool is_password_method(const std::string& method) {
  return method == "password" || method == "keyboard-interactive";
}

Accounts::Accounts(net::asio::any_io_executor executor, SandboxPool& pool, base::Entropy& entropy,
                   base::Log& log)
    : executor_(executor), pool_(pool), entropy_(entropy), log_(log) {}

bool Accounts::concern(const std::string& case_id, const ipc::Authenticate& login) const {
  if (!is_possible_user(login.user) || !pool_.has_machine(case_id)) return false;
  if (login.method == "publickey") return !key_type(login.key_blob).empty();
  return is_password_method(login.method) && !login.secret.empty();
}

net::Task<AccountAnswer> Accounts::ask(Claimant who, ipc::Authenticate login) {
  AccountQuestion question;
  question.user = login.user;
  question.client = who.source_ip;
  if (login.method == "publickey") {
    question.kind = sandbox::ProcessKind::kCheckKey;
    question.input = key_type(login.key_blob) + " " + base::to_base64(login.key_blob, true);
  } else {
    question.input = std::move(login.secret);
  }
  std::shared_ptr<Queue>& entry = queues_[who.case_id];
  if (!entry) entry = std::make_shared<Queue>(executor_);
  const auto queue = entry;
  if (queue->busy && queue->waiting >= kMaxWaiting) co_return AccountAnswer::kRefused;
  ++queue->waiting;
  while (queue->busy) co_await queue->changed.wait();
  --queue->waiting;
  queue->busy = true;
  const std::string case_id = who.case_id;
  const AccountAnswer answer = co_await ask_now(std::move(who), std::move(question));
  queue->busy = false;
  queue->changed.notify();
  if (queue->waiting == 0) queues_.erase(case_id);
  co_return answer;
}

net::Task<AccountAnswer> Accounts::ask_now(Claimant who, AccountQuestion question) {
  const auto claimed = co_await pool_.acquire(std::move(who), nullptr);
  if (!claimed) co_return AccountAnswer::kNotOurs;
  const SlotRef slot = *claimed;
  const auto limit = pool_.settings().account_timeout;
  auto answer = co_await sandbox::ask_account(*slot->sandbox, std::move(question), limit);
  if (answer) co_return *answer;
  log_.info("sandbox {}: {}", slot->id, answer.error().context);
  // A machine that has ended decides nothing; one that is full or hangs lets nobody in either.
  co_return answer.error().code == base::Errc::kUnavailable ? AccountAnswer::kNotOurs
                                                            : AccountAnswer::kRefused;
}

net::Task<std::string> Accounts::hash(std::string password) {
  if (hashing_ >= kMaxHashing) co_return std::string();
  ++hashing_;
  base::Bytes salt(crypto::kPasswordSalt);
  entropy_.fill(salt);
  const auto job = std::make_shared<Hashing>(executor_);
  net::asio::post(thread_, [job, on = executor_, text = std::move(password), salt] {
    std::string result = crypto::hash_password(text, salt);
    net::asio::post(on, [job, result = std::move(result)]() mutable {
      job->result = std::move(result);
      job->done = true;
      job->changed.notify();
    });
  });
  while (!job->done) co_await job->changed.wait();
  --hashing_;
  co_return job->result;
}

}  // namespace sandtrap::warden

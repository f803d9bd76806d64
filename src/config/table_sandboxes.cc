// table.h: the rows about sandboxes: how many, for whom, and what one may use.
#include <array>

#include "config/table.h"
#include "config/table_member.h"

namespace sandtrap::config {
namespace {

using S = Settings;
using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr seconds kDay{86400};
constexpr milliseconds kShortest{100}, kLongest{600'000};
constexpr std::uint64_t kMi = 1ULL << 20, kTi = 1ULL << 40;

std::vector<Key> pool_keys() {
  constexpr auto kP = &S::container_pool;
  using P = ContainerPool;
  return {
      {"container_pool", "engine",
       TextType{in<kP, &P::engine>, TextRule::kName, {"oci", "docker", "fake"}},
       "What runs the sandboxes: `oci` is the embedded engine and needs no daemon, `docker` a "
       "Docker Engine; `fake` isolates nothing and is for tests."},
      {"container_pool", "size", CountType{in<kP, &P::size>, 0, 10'000},
       "Sandboxes kept ready at all times; no more than max_total."},
      {"container_pool", "size_max", CountType{in<kP, &P::size_max>, 0, 10'000},
       "While attackers come faster than sandboxes start, more than `size` are kept ready, up to "
       "this many; less than `size` means `size`."},
      {"container_pool", "warm_max_age",
       SecondsType{in<kP, &P::warm_max_age>, seconds{10}, 365 * kDay},
       "One that has been ready for this long (give or take a fifth) is replaced: a machine that "
       "nobody has touched for days looks like one."},
      {"container_pool", "images", PoolImagesType{in<kP, &P::images>},
       "Several guest images, as in [{name: web, image: /srv/web/rootfs, weight: 3}, {name: db, "
       "image: /srv/db/rootfs, users: [postgres, \"mysql*\"]}]. The first entry whose users or "
       "sources fit an attacker is his; for others one of those without is drawn by weight. "
       "One with `personas` is only used where server.persona is among them. "
       "`image` is a folder for `oci`, a reference for `docker`; left out, the engine's own image. "
       "Ready sandboxes are shared out by weight.",
       false},
      {"container_pool", "status_interval",
       SecondsType{in<kP, &P::status_interval>, seconds{1}, kDay},
       "An event pool.status is written this often if something changed."},
      {"container_pool", "max_total", CountType{in<kP, &P::max_total>, 1, 100'000},
       "Sandboxes altogether, ready and in use; beyond that a login finds a believable refusal."},
      {"container_pool", "refill_concurrency", CountType{in<kP, &P::refill_concurrency>, 1, 256},
       "Sandboxes started in parallel."},
      {"container_pool", "claim_queue", CountType{in<kP, &P::claim_queue>, 0, 100'000},
       "Sessions that may wait for a sandbox when none is ready."},
      {"container_pool", "claim_timeout",
       MillisecondsType{in<kP, &P::claim_timeout>, kShortest, kLongest},
       "A session waits no longer than this for a sandbox."},
      {"container_pool", "start_timeout",
       MillisecondsType{in<kP, &P::start_timeout>, kShortest, kLongest},
       "A sandbox that has not started by then is removed."},
      {"container_pool", "verify_timeout",
       MillisecondsType{in<kP, &P::verify_timeout>, kShortest, kLongest},
       "A new sandbox must run a first program within this time before it counts as ready."},
      {"container_pool", "agent_timeout",
       MillisecondsType{in<kP, &P::agent_timeout>, kShortest, kLongest},
       "A sandbox's own helper must have begun a program within this time; else the engine starts "
       "it, which takes longer."},
      {"container_pool", "recheck_interval",
       SecondsType{in<kP, &P::recheck_interval>, seconds{1}, kDay},
       "One ready sandbox is verified again this often."},
      {"container_pool", "backoff_first",
       MillisecondsType{in<kP, &P::backoff_first>, kShortest, kLongest},
       "After a failed start of an image the next one waits so long, and twice as long after each "
       "further failure."},
      {"container_pool", "backoff_most",
       MillisecondsType{in<kP, &P::backoff_most>, kShortest, kLongest},
       "A start that follows failures waits no longer than this."},
  };
}

std::vector<Key> case_keys() {
  constexpr auto kC = &S::cases;
  using C = Cases;
  return {
      {"cases", "key", TextListType{in<kC, &C::key>, TextRule::kCaseKey, 1, 4},
       "What tells that two connections are the same attacker, the first that matches decides: "
       "`source` is the address, `credential` a user and password that another case has earned, "
       "`client_key` a public key that was proven, `hassh` the fingerprint of the client's "
       "software (thousands share one: only for a sensor with few visitors)."},
      {"cases", "ipv6_prefix", CountType{in<kC, &C::ipv6_prefix>, 32, 128},
       "So many leading bits of an IPv6 address count as its source; the rest is the customer's "
       "to choose."},
      {"cases", "observe", SecondsType{in<kC, &C::observe>, seconds{0}, 30 * kDay},
       "After an attacker's last session his sandbox goes on running for this long, with all that "
       "he left in the background."},
      {"cases", "keep", SecondsType{in<kC, &C::keep>, seconds{0}, 365 * kDay},
       "Then it is frozen: it goes on in the middle of what it did when the attacker returns. So "
       "long after the last use it is stopped and its disk preserved; 0 does that instead of "
       "freezing."},
      {"cases", "max_running", CountType{in<kC, &C::max_running>, 1, 100'000},
       "Sandboxes of attackers that run at once; beyond that the one that was left longest ago is "
       "frozen early. One with a session is never touched."},
      {"cases", "max_frozen", CountType{in<kC, &C::max_frozen>, 0, 100'000},
       "Frozen sandboxes; beyond that the one that was used longest ago is preserved early."},
      {"cases", "max_frozen_memory", SizeType{in<kC, &C::max_frozen_memory>, 0, 64 * kTi},
       "Memory that frozen sandboxes hold altogether; beyond that the one that was used longest "
       "ago is preserved early."},
      {"cases", "max_tracked", CountType{in<kC, &C::max_tracked>, 1, 10'000'000},
       "Cases remembered; beyond that the one seen longest ago is forgotten, those without a "
       "sandbox and without an accepted login first, and one with a session never."},
      {"cases", "account_timeout",
       MillisecondsType{in<kC, &C::account_timeout>, kShortest, kLongest},
       "The machine's own accounts must judge a login within this time; else it is refused."},
      {"cases", "restore_timeout",
       MillisecondsType{in<kC, &C::restore_timeout>, kShortest, kLongest},
       "A case whose preserved disk cannot be had because the engine is away is refused for so "
       "long; then a new sandbox takes its place."},
  };
}

std::vector<Key> container_keys() {
  constexpr auto kC = &S::container;
  using C = Container;
  return {
      {"container", "memory_bytes", SizeType{in<kC, &C::memory_bytes>, 16 * kMi, kTi},
       "Memory of one sandbox, swap included."},
      {"container", "cpus", RealType{in<kC, &C::cpus>, 0.01, 1024},
       "Processor time of one sandbox, in cores."},
      {"container", "pids", CountType{in<kC, &C::pids>, 10, 1'000'000},
       "Processes and threads in one sandbox."},
      {"container", "disk_bytes", SizeType{in<kC, &C::disk_bytes>, 16 * kMi, 64 * kTi},
       "What one sandbox may write to disk, where the storage can limit it."},
      {"container", "file_size_bytes", SizeType{in<kC, &C::file_size_bytes>, kMi, 64 * kTi},
       "The largest file in a sandbox."},
      {"container", "open_files", CountType{in<kC, &C::open_files>, 64, 1'048'576},
       "Open files of one process in a sandbox."},
      {"container", "capabilities",
       TextListType{in<kC, &C::capabilities>, TextRule::kCapability, 0, 64},
       "The capabilities that root has in a sandbox, all others are dropped. The default is the "
       "least that makes a root shell feel real; each further one weakens the isolation."},
      {"container", "no_new_privileges", BoolType{in<kC, &C::no_new_privileges>},
       "Programs in a sandbox cannot gain privileges: `su`, `sudo` and `passwd` fail for other "
       "users "
       "than root, which is a tell. Root of a sandbox is what an intruder mostly is anyway; turn "
       "it "
       "on where only plain users may log in."},
      {"container", "hostnames", TextListType{in<kC, &C::hostnames>, TextRule::kName, 1, 1000},
       "Each sandbox draws its host name from these."},
  };
}

}  // namespace

std::vector<Key> sandbox_keys() {
  std::vector<Key> all;
  for (auto part : {pool_keys, case_keys, container_keys}) {
    for (Key& key : part()) all.push_back(std::move(key));
  }
  return all;
}

}  // namespace sandtrap::config

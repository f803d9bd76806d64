// All settings, typed, with safe defaults. Values; read once, shared read-only. Every key is
// documented in config/config.example.yaml; load() reports every error at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace sandtrap::config {

struct MaxStartups {
  std::uint32_t start = 10, rate = 30, full = 100;
  bool operator==(const MaxStartups&) const = default;
};  // "10:30:100", sshd_config(5)

struct Server {                                        // server:
  std::vector<std::string> listen = {"0.0.0.0:2222"};  // "ip:port", "[v6]:port"
  std::string persona = "debian-12";
  std::string persona_revision;  // default: the persona's
  std::string persona_file;      // a persona of the operator's
  std::string persona_document;  // its text, filled in where files are read; "" without such a file
  bool legacy = false;
  std::string host_key_dir;  // default <data_dir>/keys
  std::string moduli_file = "/etc/ssh/moduli";
  MaxStartups max_startups;
  std::uint32_t max_connections_per_source = 100;
  std::uint32_t source_rate = 300, source_burst = 150;  // new connections a minute, and at once
  std::uint32_t source_ipv6_prefix = 64;
  std::uint32_t max_connections = 4096;
  std::chrono::seconds login_grace_time{120};
  std::uint32_t max_sessions = 10;
  std::chrono::seconds idle_timeout{3600};    // 0: none; counts bytes in either direction
  std::chrono::seconds session_limit{86400};  // absolute cap
  std::chrono::seconds drain_grace{10};
  std::uint32_t gates = 1;          // gate processes
  std::string gate_user = "61801";  // name or number
  std::string scribe_user = "61802";
  bool operator==(const Server&) const = default;
};

struct Credential {
  std::string user, password;
  bool deny = false;
  bool operator==(const Credential&) const = default;
};  // `*` wildcards

// What an attacker has earned (which user with which password) and an accepting rule:
// kNone neither asks nor remembers; kFixed remembers, but works whatever was earned before; kUser
// refuses other passwords of a user with an earned one; kCase lets nobody else in at all.
enum class Sticky { kNone, kFixed, kUser, kCase };

// One of authentication.rules: decides an attempt that meets all of its conditions. Lists: one of
// them; an empty list or text: any.
struct LoginRule {
  std::string name;                           // for people and events
  std::vector<std::string> users, passwords;  // globs
  std::string user_regex, password_regex;     // pattern.h
  std::vector<std::string> methods;           // see rule_covers()
  std::vector<std::string> sources;           // networks
  std::vector<std::string> key_types;         // globs of signature algorithms
  bool allow = false;                         // action
  std::optional<std::uint32_t> on_try;        // met once one less than this failed in the case
  std::optional<double> probability;          // met by this share of (case, user, password)
  std::optional<Sticky> sticky;               // none: Authentication::sticky
  bool operator==(const LoginRule&) const = default;
};

struct Authentication {                 // authentication:
  std::string preset = "none";          // login_presets()
  std::vector<LoginRule> rules;         // first match wins
  Sticky sticky = Sticky::kUser;        // of rules that do not say
  std::uint32_t max_earned = 16;        // accepted pairs remembered of one case
  std::vector<Credential> credentials;  // first match wins
  // What worms try to find honeypots that accept anything: never accepted.
  std::vector<std::string> deny_passwords = {"345gs5662d34", "3245gs5662d34"};
  std::optional<std::uint32_t> accept_after_failures = 2;  // per source; `false` turns it off
  std::chrono::seconds failure_memory{86400};
  std::uint32_t max_tracked_sources = 100000;
  enum class PublicKeys {
    kRefuse,
    kAcceptAfterFailures,
    kAccept
  } public_keys = PublicKeys::kRefuse;
  bool keyboard_interactive = false;
  std::uint32_t max_auth_tries = 6;
  std::chrono::milliseconds failure_delay_min{1000}, failure_delay_max{3000};
  // What follows from preset and rules for the gate, which never sees the rules.
  bool asks_none = false, offers_passwords = true;
  bool operator==(const Authentication&) const = default;
};

struct Forwarding {  // forwarding:
  bool enabled = true;
  // "TARGET OUTCOME", the first match decides: ssh/forwarding.h
  std::vector<std::string> rules = {"localhost refused", "ipv6 unreachable",
                                    "unresolvable unknown-name", "* timed-out"};
  bool x11 = false;
  bool operator==(const Forwarding&) const = default;
};

inline constexpr std::size_t kMaxPoolImages = 16;

// One of container_pool.images.
struct PoolImage {
  std::string name;
  std::string image;  // folder (oci) or reference (docker); empty: the engine's own
  std::uint32_t weight = 1;
  std::vector<std::string> users, sources;  // globs, networks; empty: any
  std::vector<std::string> personas;        // globs; the image is used with these alone
  bool operator==(const PoolImage&) const = default;
};

struct ContainerPool {         // container_pool:
  std::string engine = "oci";  // oci | docker | fake
  std::uint32_t size = 3;
  std::uint32_t size_max = 12;
  std::chrono::seconds warm_max_age{6 * 3600};
  std::vector<PoolImage> images;
  std::chrono::seconds status_interval{60};
  std::uint32_t max_total = 50;
  std::uint32_t refill_concurrency = 2;
  std::uint32_t claim_queue = 64;
  std::chrono::milliseconds claim_timeout{15000};
  std::chrono::milliseconds start_timeout{30000}, verify_timeout{10000}, agent_timeout{1000};
  std::chrono::seconds recheck_interval{30};
  std::chrono::milliseconds backoff_first{500}, backoff_most{30000};
  bool operator==(const ContainerPool&) const = default;
};

struct Cases {  // cases:
  std::vector<std::string> key = {"source", "credential"};
  std::uint32_t ipv6_prefix = 64;
  std::chrono::seconds observe{300}, keep{86400};
  std::uint32_t max_running = 50, max_frozen = 100;
  std::uint64_t max_frozen_memory = 4ULL << 30;
  std::uint32_t max_tracked = 100000;
  std::chrono::milliseconds account_timeout{3000}, restore_timeout{120000};
  bool operator==(const Cases&) const = default;
};

struct Container {  // container:
  std::uint64_t memory_bytes = 256ULL << 20;
  double cpus = 0.5;
  std::uint32_t pids = 100;
  std::uint64_t disk_bytes = 1ULL << 30;
  std::uint64_t file_size_bytes = 512ULL << 20;
  std::uint32_t open_files = 1024;
  std::vector<std::string> capabilities = {"CHOWN",      "SETUID",     "SETGID", "DAC_OVERRIDE",
                                           "FOWNER",     "FSETID",     "KILL",   "NET_BIND_SERVICE",
                                           "SYS_CHROOT", "AUDIT_WRITE"};
  bool no_new_privileges = false;
  std::vector<std::string> hostnames = {"debian", "srv01", "web01", "vps"};
  bool operator==(const Container&) const = default;
};

struct Preservation {  // preservation:
  bool enabled = true;
  std::chrono::seconds max_age{30 * 86400};
  std::uint32_t max_count = 200;
  std::uint64_t max_bytes = 20ULL << 30;
  bool operator==(const Preservation&) const = default;
};

struct Recording {  // recording:
  bool enabled = true;
  bool record_input = true;
  std::uint64_t max_bytes = 1ULL << 30;
  bool operator==(const Recording&) const = default;
};

struct Logging {               // logging:
  std::string level = "info";  // debug | info | warn | error
  std::string sensor;          // default: host name
  std::uint64_t rotate_bytes = 64ULL << 20;
  std::chrono::seconds rotate_age{86400};
  bool compress = true;
  bool operator==(const Logging&) const = default;
};

struct Disk {  // disk:
  std::uint64_t recordings_bytes = 10ULL << 30;
  std::uint64_t logs_bytes = 5ULL << 30;
  std::uint64_t min_free_bytes = 1ULL << 30;
  bool operator==(const Disk&) const = default;
};

struct Oci {               // oci:
  std::string runtime;     // path or name; empty: runc, else crun
  std::string image = "";  // root file system directory; default: found as `make run` does
  std::uint32_t userns_base = 200000, userns_size = 65536;
  bool operator==(const Oci&) const = default;
};

struct Docker {  // docker:
  std::string socket = "/var/run/docker.sock";
  std::string image = "sandtrap-guest:debian-12";
  std::string runtime;  // empty: the daemon's default
  bool operator==(const Docker&) const = default;
};

struct Settings {
  std::string data_dir = "/var/lib/sandtrap";
  std::string
      run_dir;  // sockets, engine state; default /run/sandtrap/<8 hex digits of a hash of data_dir>
  bool verify_at_start = true;
  std::vector<std::string> verify_waive;
  Server server;
  Authentication authentication;
  Forwarding forwarding;
  ContainerPool container_pool;
  Cases cases;
  Container container;
  Preservation preservation;
  Recording recording;
  Logging logging;
  Disk disk;
  Oci oci;
  Docker docker;
  bool operator==(const Settings&) const = default;
};

struct Problem {
  std::string file;
  int line = 0, column = 0;
  std::string text;
};                                              // 1-based
std::string to_string(const Problem& problem);  // "file:line:column: what, and what is allowed"

struct LoadResult {
  Settings settings;
  std::vector<Problem> problems;
};  // problems empty: good

// Pure. `persona_document`: the text of server.persona_file; without it such a persona stays open.
LoadResult load(std::string_view yaml_text, const std::string& file_name,
                std::string_view persona_document = {});
LoadResult load_file(const std::string& path);
// The same document without what the gate must not hold (credentials, engine sockets, paths of
// keys). The gate's process only ever reads this.
base::Result<std::string> redact_for_gate(std::string_view yaml_text);

}  // namespace sandtrap::config

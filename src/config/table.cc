#include "config/table.h"

#include <fmt/format.h>

#include <array>

#include "config/login_rules.h"
#include "config/table_member.h"

namespace sandtrap::config {
namespace {

using S = Settings;
using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr seconds kHour{3600}, kDay{86400};

std::vector<Key> top_keys() {
  return {
      {"", "data_dir", TextType{top<&S::data_dir>, TextRule::kSystemSafe},
       "The folder that keeps everything: events.jsonl, recordings/, preserved sandboxes, host "
       "keys. Created if it is missing; a relative path counts from where sandtrap is started."},
      {"", "run_dir",
       TextType{top<&S::run_dir>,
                TextRule::kSystemSafe,
                {},
                "/run/sandtrap/<8 hex digits of a hash of data_dir>"},
       "The folder for locks, sockets and the engine's state; may be emptied at a reboot."},
      {"", "verify_at_start", BoolType{top<&S::verify_at_start>},
       "Before it opens its ports, `sandtrap serve` attacks a sandbox from inside with the "
       "critical "
       "checks of `sandtrap verify`, once for each boot and configuration; when one fails, the "
       "ports stay closed."},
      {"", "verify_waive", TextListType{top<&S::verify_waive>, TextRule::kName, 0, 200},
       "Checks of `sandtrap verify` whose failure does not count: weaknesses that are wanted. "
       "`sandtrap verify --list` has the names."},
  };
}

std::vector<Key> server_keys() {
  constexpr auto kS = &S::server;
  return {
      {"server", "listen", TextListType{in<kS, &Server::listen>, TextRule::kListen, 1, 64},
       "The addresses to accept SSH connections on."},
      {"server", "persona", TextType{in<kS, &Server::persona>, TextRule::kPersona},
       "The machine that SandTrap looks like from outside: banner, algorithms, error behaviour, "
       "timing; `sandtrap personas` lists them. Limits that are not set here are the persona's."},
      {"server", "persona_revision",
       TextType{in<kS, &Server::persona_revision>,
                TextRule::kName,
                {},
                "the persona's default revision"},
       "The package revision, such as deb12u3; it decides the banner and the key exchange list "
       "that goes with it. `sandtrap personas` lists them."},
      {"server", "persona_file",
       TextType{in<kS, &Server::persona_file>, TextRule::kPath, {}, "none"},
       "A persona of your own, a file as docs/personas.md describes it; takes the place of the "
       "compiled-in ones.",
       false},
      {.section = "server",
       .name = "persona_document",
       .type = TextType{in<kS, &Server::persona_document>, TextRule::kDocument, {}, "none"},
       .help = "The text of persona_file.",
       .internal = true},
      {"server", "legacy", BoolType{in<kS, &Server::legacy>},
       "Also offers what ancient clients need, behind the persona's own algorithms: group1 and "
       "group14 with SHA-1, CBC ciphers, ssh-rsa. The price is another fingerprint of the server "
       "(docs/personas.md)."},
      {"server", "host_key_dir",
       TextType{in<kS, &Server::host_key_dir>, TextRule::kPath, {}, "<data_dir>/keys"},
       "The folder of the host keys; keys that are missing are generated at the first start.",
       false},
      {"server", "moduli_file", TextType{in<kS, &Server::moduli_file>, TextRule::kPath},
       "The groups for diffie-hellman-group-exchange, a moduli(5) file as OpenSSH installs it. "
       "Without the file a few fixed groups are used, as sshd does then."},
      {"server", "max_startups", StartupsType{in<kS, &Server::max_startups>},
       "Limits connections that have not logged in, as MaxStartups of sshd_config(5): from `start` "
       "on, `rate` percent are refused, rising to all at `full`."},
      {"server", "max_connections_per_source",
       CountType{in<kS, &Server::max_connections_per_source>, 1, 1'000'000},
       "Open connections of one source address."},
      {"server", "source_rate", CountType{in<kS, &Server::source_rate>, 0, 1'000'000},
       "New connections of one source address in a minute, beyond source_burst; more are refused "
       "as at max_startups. 0 is no limit."},
      {"server", "source_burst", CountType{in<kS, &Server::source_burst>, 1, 1'000'000},
       "New connections of one source address at once, before source_rate counts."},
      {"server", "source_ipv6_prefix", CountType{in<kS, &Server::source_ipv6_prefix>, 32, 128},
       "So many leading bits of an IPv6 address are one source for the limits above and below; "
       "the rest is the customer's to choose."},
      {"server", "max_connections", CountType{in<kS, &Server::max_connections>, 1, 1'000'000},
       "Open connections altogether."},
      {"server", "login_grace_time",
       SecondsType{in<kS, &Server::login_grace_time>, seconds{0}, kHour},
       "Ends a connection that has not logged in by then; 0 waits for ever."},
      {"server", "max_sessions", CountType{in<kS, &Server::max_sessions>, 1, 1000},
       "Session channels open at once in one connection, as MaxSessions of sshd_config(5)."},
      {"server", "idle_timeout", SecondsType{in<kS, &Server::idle_timeout>, seconds{0}, 365 * kDay},
       "Ends a session without a byte in either direction for this long; 0 never does."},
      {"server", "session_limit",
       SecondsType{in<kS, &Server::session_limit>, seconds{1}, 365 * kDay},
       "Ends every session after this long."},
      {"server", "drain_grace", SecondsType{in<kS, &Server::drain_grace>, seconds{0}, kHour},
       "At shutdown, sessions may go on for this long."},
      {"server", "gates", CountType{in<kS, &Server::gates>, 1, 64},
       "Gate processes; more than one uses more processor cores."},
      {"server", "gate_user", TextType{in<kS, &Server::gate_user>, TextRule::kAccount},
       "The account of the gate processes. A number needs no entry in /etc/passwd."},
      {"server", "scribe_user", TextType{in<kS, &Server::scribe_user>, TextRule::kAccount},
       "The account of the scribe, which owns the files in data_dir."},
  };
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const LoginPreset& preset : login_presets()) names.push_back(preset.name);
  return names;
}

std::vector<Key> authentication_keys() {
  constexpr auto kA = &S::authentication;
  using A = Authentication;
  return {
      {"authentication", "preset", TextType{in<kA, &A::preset>, TextRule::kName, preset_names()},
       "A ready-made set of login rules that comes before all others; docs/login-policy.md says "
       "what "
       "each does."},
      {"authentication", "rules", LoginRulesType{in<kA, &A::rules>},
       "Who gets in, in order: the first rule whose conditions are all met decides; "
       "docs/login-policy.md has every key and many examples. As in [{user: root, password: "
       "\"*123*\", action: allow, on_try: 2}, {source: 192.0.2.0/24, action: deny}].",
       false},
      {"authentication", "sticky", StickyType{in<kA, &A::sticky>},
       "What a login that was let in means for others of the same attacker, where a rule does not "
       "say: `user` refuses other passwords of that user, `case` any other login, `none` nothing; "
       "`fixed` is for passwords that belong to the machine: they work beside earned ones.",
       false},
      {"authentication", "max_earned", CountType{in<kA, &A::max_earned>, 1, 1000},
       "Accepted logins remembered of one attacker; beyond that the oldest is forgotten.", false},
      {"authentication", "credentials", CredentialsType{in<kA, &A::credentials>},
       "What works at once, a list of {user, password}: the first entry that matches decides. `*` "
       "stands for any text, and `deny: true` makes a match fail for good, as in "
       "[{user: root, password: \"letmein\"}, {user: admin, deny: true}].",
       false},
      {"authentication", "deny_passwords",
       TextListType{in<kA, &A::deny_passwords>, TextRule::kAny, 0, 1000},
       "Passwords that never work, whatever else says so: what worms try to tell a honeypot that "
       "accepts anything.",
       false},
      {"authentication", "accept_after_failures",
       OptionalCountType{in<kA, &A::accept_after_failures>, 0, 1000},
       "After this many failed attempts of one attacker the next one succeeds with any user and "
       "password, unless that user has a password by then; `false` turns that off. The last rule."},
      {"authentication", "failure_memory",
       SecondsType{in<kA, &A::failure_memory>, seconds{1}, 365 * kDay},
       "Failed attempts are remembered for this long."},
      {"authentication", "max_tracked_sources",
       CountType{in<kA, &A::max_tracked_sources>, 1, 10'000'000},
       "Source addresses remembered; beyond that the oldest is forgotten."},
      {"authentication", "public_keys", PublicKeysType{in<kA, &A::public_keys>},
       "What a login by public key leads to. Keys that are offered are logged in any case."},
      {"authentication", "keyboard_interactive", BoolType{in<kA, &A::keyboard_interactive>},
       "Also offers keyboard-interactive, which asks for the same password."},
      {"authentication", "max_auth_tries", CountType{in<kA, &A::max_auth_tries>, 1, 100},
       "Failed attempts in one connection before it is closed, as MaxAuthTries of "
       "sshd_config(5)."},
      {"authentication", "failure_delay_min",
       MillisecondsType{in<kA, &A::failure_delay_min>, milliseconds{0}, milliseconds{60'000}},
       "A failed password is answered after at least this long; no more than failure_delay_max."},
      {"authentication", "failure_delay_max",
       MillisecondsType{in<kA, &A::failure_delay_max>, milliseconds{0}, milliseconds{60'000}},
       "The longest delay of the answer to a failed password."},
      {"authentication", "asks_none", BoolType{in<kA, &A::asks_none>}, "", true, true},
      {"authentication", "offers_passwords", BoolType{in<kA, &A::offers_passwords>}, "", true,
       true},
  };
}

std::vector<Key> forwarding_keys() {
  constexpr auto kF = &S::forwarding;
  return {
      {"forwarding", "enabled", BoolType{in<kF, &Forwarding::enabled>},
       "Behaves as a server with port forwarding on, as sshd is by default: requests fail slowly "
       "or "
       "are accepted without any effect. Off, they are refused as by AllowTcpForwarding no."},
      {"forwarding", "rules", TextListType{in<kF, &Forwarding::rules>, TextRule::kForward, 0, 1000},
       "How a forwarded connection ends; no target is ever contacted. Each is `TARGET OUTCOME`, "
       "the "
       "first match decides. TARGET: `localhost`, `ipv6`, `address`, `unresolvable`, or a host or "
       "host:port in which * stands for any text. OUTCOME: refused, timed-out, no-route, "
       "unreachable, unknown-name, lookup-fails. The server's own SSH port on localhost always "
       "answers, but lets nobody in."},
      {"forwarding", "x11", BoolType{in<kF, &Forwarding::x11>},
       "X11 forwarding is granted, as by a server with xauth installed: only for an image that has "
       "it."},
  };
}

std::vector<Key> engine_keys() {
  constexpr auto kO = &S::oci;
  constexpr auto kD = &S::docker;
  return {
      {"oci", "runtime", TextType{in<kO, &Oci::runtime>, TextRule::kAny, {}, "runc, else crun"},
       "The OCI runtime, a name or a path.", false},
      {"oci", "image",
       TextType{
           in<kO, &Oci::image>, TextRule::kPath, {}, "the image that `sandtrap image build` makes"},
       "The folder that holds the guest's root file system.", false},
      {"oci", "userns_base", CountType{in<kO, &Oci::userns_base>, 65'536, 4'294'901'760U},
       "The first host user id of the sandboxes; root inside is this user outside.", false},
      {"oci", "userns_size", CountType{in<kO, &Oci::userns_size>, 65'536, 4'294'901'760U},
       "The number of host user ids from userns_base on.", false},
      {"docker", "socket", TextType{in<kD, &Docker::socket>, TextRule::kPath},
       "The Docker Engine's unix socket.", false},
      {"docker", "image", TextType{in<kD, &Docker::image>, TextRule::kAny}, "The guest's image.",
       false},
      {"docker", "runtime",
       TextType{in<kD, &Docker::runtime>, TextRule::kAny, {}, "the Docker Engine's own choice"},
       "The runtime that the Docker Engine is asked to use.", false},
  };
}

}  // namespace

std::string Key::path() const {
  return section.empty() ? std::string(name) : fmt::format("{}.{}", section, name);
}

std::vector<Section> sections() {
  return {
      {"", "Folders."},
      {"server", "Who is listened to, and for how long."},
      {"authentication", "Who gets in."},
      {"forwarding", "What becomes of forwarded ports. Nothing is ever really forwarded."},
      {"container_pool", "How many sandboxes there are, and when."},
      {"cases", "Who is the same attacker, and how long his machine waits for him."},
      {"container", "What one sandbox may use."},
      {"preservation", "What is kept of a sandbox after use."},
      {"recording", "What is recorded of a session."},
      {"logging", "What SandTrap tells its operator."},
      {"disk",
       "How much of the disk evidence may fill; docs/operations.md has the order in which "
       "room is made."},
      {"oci", "The embedded engine (container_pool.engine: oci)."},
      {"docker", "The Docker Engine (container_pool.engine: docker)."},
  };
}

std::vector<Key> keys() {
  std::vector<Key> all;
  for (auto part : {top_keys, server_keys, authentication_keys, forwarding_keys, sandbox_keys,
                    evidence_keys, engine_keys}) {
    for (Key& key : part()) all.push_back(std::move(key));
  }
  return all;
}

std::span<const std::string_view> public_keys_names() {
  static constexpr std::array<std::string_view, 3> kNames = {"refuse", "accept_after_failures",
                                                             "accept"};
  return kNames;
}

}  // namespace sandtrap::config

// persona.h: one document.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/map_reader.h"
#include "config/persona.h"
#include "config/persona_rules.h"
#include "ssh/algorithms.h"

namespace sandtrap::config {
namespace {

using ssh::AlgorithmKind;
using std::chrono::milliseconds;

constexpr std::size_t kMaxAlgorithms = 40;  // OpenSSH reads no more of a list
constexpr std::size_t kMaxName = 64, kMaxText = 4096, kMaxLine = 512, kMaxList = 64;
constexpr std::size_t kMaxRevisions = 200;
constexpr std::size_t kMaxSoftware = 200;

class Reader {
 public:
  Reader(PersonaFile& out, Problems& problems, bool compiled)
      : out_(out), problems_(problems), compiled_(compiled) {}

  void document(const Node& root) {
    MapReader in(root, "the persona", problems_);
    ssh::Profile& p = out_.common.profile;
    if (const Node* name = in.text("name", p.name, kMaxName, Need::kRequired)) {
      if (!is_persona_word(p.name)) wrong(*name, "name", "letters, digits, '.', '_' and '-'");
    }
    in.text("title", out_.common.title, kMaxLine);
    builds(in);
    revisions(in);
    algorithms(in.section("algorithms"));
    host_keys(in);
    ext_info(in);
    transport(in.section("transport"));
    authentication(in.section("authentication"));
    connection(in.section("connection"));
    legacy(in.section("legacy"));
    guest(in.section("guest"));
    in.finish();
  }

 private:
  void wrong(const Node& at, std::string_view what, std::string_view allowed) {
    problems_.add(at, fmt::format("{} is not known; allowed: {}", what, allowed));
  }

  void names(MapReader& in, std::string_view key, AlgorithmKind kind, ssh::NameList& out,
             Need need) {
    const Node* list = in.texts(key, out, kMaxAlgorithms, kMaxName, need);
    if (list == nullptr) return;
    const ssh::NameList known = ssh::implemented(kind);
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (std::find(known.begin(), known.end(), out[i]) == known.end()) {
        wrong(list->items[i], quoted(out[i]), fmt::format("{}", fmt::join(known, ", ")));
      } else if (std::find(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(i), out[i]) !=
                 out.begin() + static_cast<std::ptrdiff_t>(i)) {
        problems_.add(list->items[i], fmt::format("{} stands in the list twice", out[i]));
      }
    }
    if (out.empty() && need == Need::kRequired) problems_.add(*list, "the list is empty");
  }

  static std::string quoted(std::string_view text) { return fmt::format("\"{}\"", text); }

  void builds(MapReader& in) {
    const Node* list = in.items("builds", kMaxList, Need::kRequired);
    if (list == nullptr) return;
    for (const Node& item : list->items) {
      PersonaFile::Build build;
      MapReader one(item, "an entry of builds", problems_);
      one.text("name", build.name, kMaxName, Need::kRequired);
      names(one, "kex", AlgorithmKind::kKex, build.kex, Need::kRequired);
      std::string repeated = "unimplemented";
      const Node* at = one.text("repeated_kex_init", repeated, kMaxName);
      if (at != nullptr && repeated != "unimplemented" && repeated != "close") {
        wrong(*at, "repeated_kex_init", "unimplemented, close");
      }
      build.repeated_kex_init_closes = repeated == "close";
      one.finish();
      out_.builds.push_back(std::move(build));
    }
    if (list->items.empty()) problems_.add(*list, "builds is empty; a persona has at least one");
  }

  void revisions(MapReader& in) {
    const Node* list = in.items("revisions", kMaxRevisions, Need::kRequired);
    const Node* chosen =
        in.text("default_revision", out_.default_revision, kMaxName, Need::kRequired);
    if (list == nullptr) return;
    for (const Node& item : list->items) revision(item);
    const std::vector<std::string> all = out_.revision_names();
    if (chosen != nullptr &&
        std::find(all.begin(), all.end(), out_.default_revision) == all.end()) {
      wrong(*chosen, "default_revision", fmt::format("{}", fmt::join(all, ", ")));
    }
  }

  void revision(const Node& item) {
    PersonaFile::Revision revision;
    MapReader one(item, "an entry of revisions", problems_);
    if (const Node* at = one.text("name", revision.name, kMaxName, Need::kRequired)) {
      const auto all = out_.revision_names();
      if (!is_persona_word(revision.name)) {
        wrong(*at, "name", "letters, digits, '.', '_' and '-'");
      } else if (std::find(all.begin(), all.end(), revision.name) != all.end()) {
        problems_.add(*at, fmt::format("revision {} stands here twice", revision.name));
      }
    }
    if (const Node* at = one.text("software", revision.software, kMaxSoftware, Need::kRequired)) {
      if (!is_software(revision.software)) {
        wrong(*at, "software",
              "printable ASCII as it follows \"SSH-2.0-\", such as OpenSSH_9.2p1 "
              "Debian-2+deb12u10");
      }
    }
    std::string build;
    if (const Node* at = one.text("build", build, kMaxName, Need::kRequired)) {
      const auto found = std::find_if(out_.builds.begin(), out_.builds.end(),
                                      [&](const PersonaFile::Build& b) { return b.name == build; });
      if (found == out_.builds.end()) {
        std::vector<std::string_view> known;
        for (const PersonaFile::Build& b : out_.builds) known.push_back(b.name);
        wrong(*at, "build " + quoted(build), fmt::format("{}", fmt::join(known, ", ")));
      } else {
        revision.build = static_cast<std::size_t>(found - out_.builds.begin());
        const std::string why =
            compiled_ ? std::string() : check_kex_of(revision.software, found->kex);
        if (!why.empty()) problems_.add(*at, fmt::format("build {}: {}", build, why));
        out_.revisions.push_back(std::move(revision));
      }
    }
    one.finish();
  }

  void algorithms(MapReader in) {
    ssh::Profile& p = out_.common.profile;
    names(in, "ciphers", AlgorithmKind::kCipher, p.ciphers, Need::kRequired);
    names(in, "macs", AlgorithmKind::kMac, p.macs, Need::kRequired);
    names(in, "compression", AlgorithmKind::kCompression, p.compression, Need::kRequired);
    names(in, "host_keys", AlgorithmKind::kHostKey, p.host_key_algorithms, Need::kRequired);
    names(in, "user_keys", AlgorithmKind::kUserKey, p.accepted_user_key_algorithms,
          Need::kRequired);
    in.finish();
  }

  void host_keys(MapReader& in) {
    out_.common.host_keys = {"rsa-3072", "ecdsa-p256", "ed25519"};
    const std::vector<std::string> known = out_.common.host_keys;
    std::vector<std::string>& keys = out_.common.host_keys;
    const Node* list = in.texts("host_keys", keys, known.size(), kMaxName);
    if (list == nullptr) return;
    if (keys.empty()) problems_.add(*list, "host_keys is empty; a server has at least one");
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (std::find(known.begin(), known.end(), keys[i]) == known.end()) {
        wrong(list->items[i], quoted(keys[i]), fmt::format("{}", fmt::join(known, ", ")));
      }
    }
  }

  void ext_info(MapReader& in) {
    const Node* list = in.items("ext_info", kMaxList, Need::kOptional);
    if (list == nullptr) return;
    for (const Node& item : list->items) {
      std::pair<std::string, std::string> entry;
      MapReader one(item, "an entry of ext_info", problems_);
      one.text("name", entry.first, kMaxName, Need::kRequired);
      one.text("value", entry.second, kMaxText, Need::kRequired);
      one.finish();
      out_.common.profile.ext_info.push_back(std::move(entry));
    }
  }

  void transport(MapReader in) {
    ssh::Profile& p = out_.common.profile;
    in.flag("ping", p.ping);
    in.flag("ext_info_in_auth", p.ext_info_in_auth);
    in.count("max_packet_length", p.max_packet_length, 35000U, 262144U);  // RFC 4253 §6.1
    in.count("max_identification", p.max_identification, 255U, 65536U);
    milliseconds grace = p.login_grace;
    in.duration("login_grace", grace, std::chrono::hours(1));
    p.login_grace = std::chrono::duration_cast<std::chrono::seconds>(grace);
    in.count("rekey_packets", p.rekey_packets, std::uint64_t{1}, std::uint64_t{1} << 31);
    in.count("rekey_bytes", p.rekey_bytes, std::uint64_t{0}, std::uint64_t{1} << 40);
    in.finish();
  }

  void authentication(MapReader in) {
    ssh::Profile& p = out_.common.profile;
    in.count("max_tries", p.max_auth_tries, 1U, 100U);
    in.flag("none_is_immediate", p.none_is_immediate);
    in.duration("longest_padded", p.longest_padded, std::chrono::minutes(10));
    in.duration("pam_delay_min", p.pam_delay_min, std::chrono::minutes(1));
    const Node* max = in.duration("pam_delay_max", p.pam_delay_max, std::chrono::minutes(1));
    if (max != nullptr && p.pam_delay_max < p.pam_delay_min) {
      problems_.add(*max, "pam_delay_max is below pam_delay_min");
    }
    in.flag("pam_delay_by_clock", p.pam_delay_by_clock);
    pause(in, "session_setup_min", p.session_setup_min);
    pause(in, "session_setup_max", p.session_setup_max);
    in.text("key_debug", p.key_debug, kMaxLine);
    in.finish();
  }

  static void pause(MapReader& in, std::string_view name, std::chrono::microseconds& out) {
    auto value = std::chrono::duration_cast<milliseconds>(out);
    in.duration(name, value, std::chrono::seconds(10));
    out = value;
  }

  void connection(MapReader in) {
    ssh::Profile& p = out_.common.profile;
    in.count("max_sessions", p.max_sessions, 1U, 1000U);
    in.count("window", p.window, 32768U, 16U << 20);
    in.count("max_packet", p.max_packet, 1024U, 262144U);
    in.count("output_block", p.output_block, 1024U, 65536U);
    in.texts("accepted_environment", p.accepted_env, kMaxList, kMaxName);
    in.count("status_first_quiet", p.status_first_quiet, 0U, 1000U);
    in.count("status_first_output", p.status_first_output, 0U, 1000U);
    in.count("status_first_terminal", p.status_first_terminal, 0U, 1000U);
    in.count("status_first_bulk", p.status_first_bulk, 0U, 1000U);
    in.finish();
  }

  void legacy(MapReader in) {
    PersonaFile::Legacy& l = out_.legacy;
    names(in, "kex", AlgorithmKind::kKex, l.kex, Need::kOptional);
    names(in, "ciphers", AlgorithmKind::kCipher, l.ciphers, Need::kOptional);
    names(in, "host_keys", AlgorithmKind::kHostKey, l.host_keys, Need::kOptional);
    names(in, "user_keys", AlgorithmKind::kUserKey, l.user_keys, Need::kOptional);
    in.finish();
  }

  void guest(MapReader in) {
    PersonaGuest& g = out_.common.guest;
    in.text("system", g.system, kMaxName);
    in.text("motd_first", g.motd_first, kMaxLine);
    in.texts("motd", g.motd, kMaxList, kMaxLine);
    in.text("last_login", g.last_login, kMaxLine);
    in.text("path_user", g.path_user, kMaxLine);
    in.text("path_root", g.path_root, kMaxLine);
    in.texts("environment", g.environment, kMaxList, kMaxLine);
    in.flag("bracketed_paste", g.bracketed_paste);
    in.texts("sftp_extensions", g.sftp_extensions, kMaxList, kMaxLine);
    in.finish();
  }

  PersonaFile& out_;
  Problems& problems_;
  bool compiled_;  // the measure of others, not measured itself
};

PersonaRead read(std::string_view text, const std::string& file_name, bool compiled) {
  PersonaRead out;
  Problems problems(file_name);
  std::optional<Node> root;
  if (text.size() > kMaxPersona) {
    problems.add(1, 1,
                 fmt::format("the persona is {} bytes long; allowed: at most {} KiB", text.size(),
                             kMaxPersona / 1024));
  } else {
    root = parse_document(text, problems);
  }
  if (root) Reader(out.file, problems, compiled).document(*root);
  out.problems = std::move(problems).take();
  return out;
}

}  // namespace

PersonaRead read_persona(std::string_view yaml_text, const std::string& file_name) {
  return read(yaml_text, file_name, false);
}

PersonaRead read_compiled_persona(const CompiledPersona& persona) {
  return read(persona.text, fmt::format("personas/{}.yaml", persona.name), true);
}

}  // namespace sandtrap::config

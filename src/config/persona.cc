// persona.h: the compiled-in documents, and one revision out of a document.
#include "config/persona.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "config/persona_rules.h"
#include "ssh/hassh.h"

namespace sandtrap::config {
namespace {

using ssh::NameList;

// Read once: every later look is at immutable data. A compiled document is part of the program, so
// a problem in one is our own bug.
const std::vector<PersonaFile>& compiled() {
  static const std::vector<PersonaFile> files = [] {
    std::vector<PersonaFile> out;
    for (const CompiledPersona& one : compiled_persona_texts()) {
      PersonaRead read = read_compiled_persona(one);
      SANDTRAP_CHECK(read.problems.empty());
      out.push_back(std::move(read.file));
    }
    return out;
  }();
  return files;
}

// "OpenSSH_9.2p1 Debian" of "OpenSSH_9.2p1 Debian-2+deb12u10": builds of one package.
std::string_view package_of(std::string_view software) {
  const std::size_t space = software.find(' ');
  if (space == std::string_view::npos) return {};
  const std::size_t dash = software.find('-', space);
  return dash == std::string_view::npos ? std::string_view() : software.substr(0, dash);
}

void append_new(NameList& list, const NameList& more) {
  for (const std::string& name : more) {
    if (std::find(list.begin(), list.end(), name) == list.end()) list.push_back(name);
  }
}

// As `KexAlgorithms +…` of sshd_config(5): sshd adds its pseudo-algorithms behind the whole list.
void append_kex(NameList& list, const NameList& more) {
  const auto pseudo = std::find_if(list.begin(), list.end(), [](const std::string& name) {
    return name == "ext-info-s" || name.starts_with("kex-strict-");
  });
  const NameList tail(pseudo, list.end());
  list.erase(pseudo, list.end());
  append_new(list, more);
  append_new(list, tail);
}

// sshd lists ssh-rsa right behind the other algorithms of the same key.
void insert_host_keys(NameList& list, const NameList& more) {
  for (const std::string& name : more) {
    if (std::find(list.begin(), list.end(), name) != list.end()) continue;
    auto at = list.end();
    if (name == "ssh-rsa") {
      const auto last = std::find_if(list.rbegin(), list.rend(), [](const std::string& other) {
        return other.starts_with("rsa-sha2-");
      });
      if (last != list.rend()) at = last.base();
    }
    list.insert(at, name);
  }
}

// sshd names what PubkeyAcceptedAlgorithms accepts.
void extend_signature_list(ssh::Profile& profile, const NameList& more) {
  for (auto& [name, value] : profile.ext_info) {
    if (name != "server-sig-algs") continue;
    for (const std::string& algorithm : more) {
      if (("," + value + ",").find("," + algorithm + ",") == std::string::npos) {
        value += "," + algorithm;
      }
    }
  }
}

}  // namespace

bool is_persona_word(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool is_software(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

std::string check_kex_of(std::string_view software, const NameList& kex) {
  const std::string_view package = package_of(software);
  if (package.empty()) return {};
  std::vector<NameList> lists;
  bool known = false;  // this very revision
  for (const PersonaFile& file : compiled()) {
    for (const PersonaFile::Revision& revision : file.revisions) {
      if (known || package_of(revision.software) != package) continue;
      known = revision.software == software;
      const NameList& list = file.builds[revision.build].kex;
      if (known) lists.clear();
      if (std::find(lists.begin(), lists.end(), list) == lists.end()) lists.push_back(list);
    }
  }
  if (lists.empty() || std::find(lists.begin(), lists.end(), kex) != lists.end()) return {};
  std::vector<std::string> texts;
  for (const NameList& list : lists) texts.push_back(fmt::format("{}", fmt::join(list, ",")));
  return fmt::format("{} never had this key exchange list; allowed: {}",
                     known ? std::string(software) : std::string(package),
                     fmt::join(texts, "; or "));
}

std::vector<std::string> PersonaFile::revision_names() const {
  std::vector<std::string> out;
  for (const Revision& revision : revisions) out.push_back(revision.name);
  return out;
}

base::Result<Persona> PersonaFile::at(std::string_view wanted, bool with_legacy) const {
  const std::string_view name = wanted.empty() ? std::string_view(default_revision) : wanted;
  const auto found = std::find_if(revisions.begin(), revisions.end(),
                                  [name](const Revision& r) { return r.name == name; });
  if (found == revisions.end() || found->build >= builds.size()) {
    return base::fail(base::Errc::kNotFound,
                      fmt::format("{} has no revision {}; allowed: {}", common.profile.name, name,
                                  fmt::join(revision_names(), ", ")));
  }
  Persona out = common;
  const Build& build = builds[found->build];
  out.revision = found->name;
  ssh::Profile& p = out.profile;
  p.software = found->software;
  p.kex = build.kex;
  p.repeated_kex_init_closes = build.repeated_kex_init_closes;
  if (with_legacy) {
    append_kex(p.kex, legacy.kex);
    append_new(p.ciphers, legacy.ciphers);
    insert_host_keys(p.host_key_algorithms, legacy.host_keys);
    append_new(p.accepted_user_key_algorithms, legacy.user_keys);
    extend_signature_list(p, legacy.user_keys);
  }
  return out;
}

std::vector<std::string> compiled_personas() {
  std::vector<std::string> out;
  for (const CompiledPersona& one : compiled_persona_texts()) out.emplace_back(one.name);
  return out;
}

const PersonaFile* compiled_persona(std::string_view name) {
  const auto& files = compiled();
  const auto found = std::find_if(files.begin(), files.end(), [name](const PersonaFile& f) {
    return f.common.profile.name == name;
  });
  return found == files.end() ? nullptr : &*found;
}

base::Result<Persona> persona_of(const Settings& settings) {
  const Server& server = settings.server;
  if (!server.persona_document.empty()) {
    PersonaRead read = read_persona(server.persona_document, "persona");
    if (!read.problems.empty()) {
      return base::fail(base::Errc::kInvalid, to_string(read.problems.front()));
    }
    return read.file.at(server.persona_revision, server.legacy);
  }
  const PersonaFile* file = compiled_persona(server.persona);
  if (file == nullptr) return base::fail(base::Errc::kNotFound, "no persona " + server.persona);
  return file->at(server.persona_revision, server.legacy);
}

std::string hassh_server(const ssh::Profile& profile) {
  const auto join = [](const NameList& names) { return fmt::format("{}", fmt::join(names, ",")); };
  ssh::ClientKexInit lists;
  lists.kex = join(profile.kex);
  lists.enc_c2s = join(profile.ciphers);
  lists.mac_c2s = join(profile.macs);
  lists.comp_c2s = join(profile.compression);
  return ssh::hassh(lists);  // the same hash; a server's lists are equal both ways
}

}  // namespace sandtrap::config

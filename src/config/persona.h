// Personas: the machines that SandTrap can look like from outside. Each is one YAML document
// (personas/*.yaml, compiled in; or a file of the operator's) that holds all of its package
// revisions. Pure; values. docs/personas.md explains the keys.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"
#include "ssh/profile.h"

namespace sandtrap::config {

struct PersonaGuest {  // what a login shows; the guest's own image decides what really is there
  std::string system;  // the image that fits: "debian-12"
  std::string motd_first;
  std::vector<std::string> motd;
  std::string last_login, path_user, path_root;
  std::vector<std::string> environment;
  bool bracketed_paste = true;
  std::vector<std::string> sftp_extensions;  // "name=version", in order
};

struct Persona {  // one revision
  std::string title, revision;
  ssh::Profile profile;
  std::vector<std::string> host_keys;  // "rsa-3072", "ecdsa-p256", "ed25519"
  PersonaGuest guest;
};

// A whole document. Good only if reading it found no problem.
struct PersonaFile {
  struct Build {  // what security updates changed on the wire
    std::string name;
    ssh::NameList kex;
    bool repeated_kex_init_closes = false;
  };
  struct Revision {
    std::string name, software;
    std::size_t build = 0;
  };
  struct Legacy {
    ssh::NameList kex, ciphers, host_keys, user_keys;
  };
  Persona common;
  std::string default_revision;
  std::vector<Build> builds;
  std::vector<Revision> revisions;
  Legacy legacy;

  std::vector<std::string> revision_names() const;
  // `revision` "" is the default one. An error names what is allowed.
  base::Result<Persona> at(std::string_view revision, bool with_legacy) const;
};

struct PersonaRead {
  PersonaFile file;
  std::vector<Problem> problems;  // empty: good
};
// Also refuses a banner with a key exchange list that no build of that package ever had.
PersonaRead read_persona(std::string_view yaml_text, const std::string& file_name);

std::vector<std::string> compiled_personas();                // names
const PersonaFile* compiled_persona(std::string_view name);  // null: none of that name

// Of settings that load() found good.
base::Result<Persona> persona_of(const Settings& settings);

// hasshServer: MD5 over the lists of the KEXINIT that this profile sends. 32 hexadecimal digits.
std::string hassh_server(const ssh::Profile& profile);

}  // namespace sandtrap::config

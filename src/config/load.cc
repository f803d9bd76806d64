// settings.h: the document against the table, then what several settings must agree on.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/document.h"
#include "config/login_rules.h"
#include "config/node.h"
#include "config/persona.h"
#include "config/table.h"
#include "config/value.h"

namespace sandtrap::config {
namespace {

// Where a key stands in the document, for the checks that look at several.
struct Place {
  std::string path;
  const Node* node;
};

class Loader {
 public:
  Loader(const std::string& file, std::string_view persona_document)
      : problems_(file), keys_(keys()), persona_document_(persona_document) {}

  LoadResult run(std::string_view text) {
    const auto root = parse_document(text, problems_);
    if (root && root->kind == Node::Kind::kMap) {
      read_map(*root, "");
    } else if (root && root->kind != Node::Kind::kNull) {
      problems_.add(*root, "the file must consist of `key: value` lines");
    }
    if (root) check_agreement(*root);
    if (!persona_document_.empty()) settings_.server.persona_document = persona_document_;
    take_persona(root ? *root : Node{});
    derive();
    std::vector<Problem> all = std::move(problems_).take();
    all.insert(all.end(), foreign_.begin(), foreign_.end());
    return LoadResult{std::move(settings_), std::move(all)};
  }

 private:
  bool is_section(std::string_view name) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [name](const Key& k) { return k.section == name && !name.empty(); });
  }

  void read_map(const Node& map, std::string_view section) {
    for (std::size_t i = 0; i < map.keys.size(); ++i) {
      const Node& name = map.keys[i];
      const Node& value = map.items[i];
      if (name.kind != Node::Kind::kScalar) continue;  // reported when the tree was built
      const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key& k) {
        return k.section == section && k.name == name.text;
      });
      if (key != keys_.end()) {
        places_.push_back(Place{key->path(), &value});
        read(*key, value, settings_, problems_);
      } else if (section.empty() && is_section(name.text)) {
        read_section(name, value);
      } else {
        unknown(name, section);
      }
    }
  }

  void read_section(const Node& name, const Node& value) {
    if (value.kind == Node::Kind::kNull) return;  // every key commented out
    if (value.kind != Node::Kind::kMap) {
      problems_.add(value, fmt::format("{} must be a section of `key: value` lines", name.text));
      return;
    }
    read_map(value, name.text);
  }

  // Keys of earlier versions, and what says the same now.
  static std::string_view moved(std::string_view section, std::string_view name) {
    if (section != "container_pool") return {};
    if (name == "linger") return "cases.observe (then frozen until cases.keep)";
    if (name == "max_tracked_cases") return "cases.max_tracked";
    return {};
  }

  void unknown(const Node& name, std::string_view section) {
    if (const auto now = moved(section, name.text); !now.empty()) {
      return problems_.add(name, fmt::format("{}.{} is now {}", section, name.text, now));
    }
    const std::string place =
        section.empty() ? std::string("at the top level") : fmt::format("in section {}", section);
    std::string text = fmt::format("unknown key {} {}", quoted_for_people(name.text), place);
    std::vector<std::string_view> here;
    for (const Key& key : keys_) {
      if (key.only_for_gate) continue;
      if (key.section == section) here.push_back(key.name);
      if (section.empty() && (here.empty() || here.back() != key.section)) {
        here.push_back(key.section);
      }
    }
    const auto elsewhere =
        std::find_if(keys_.begin(), keys_.end(), [&](const Key& k) { return k.name == name.text; });
    if (elsewhere != keys_.end()) {
      text += fmt::format("; did you mean {}?", elsewhere->path());
    } else if (const auto guess = nearest(name.text, here); !guess.empty()) {
      text += fmt::format("; did you mean {}?", guess);
    } else {
      std::erase(here, "");
      text += fmt::format("; allowed: {}", fmt::join(here, ", "));
    }
    problems_.add(name, std::move(text));
  }

  void disagree(const Node& root, std::string_view path, std::string text) {
    const auto at = std::find_if(places_.begin(), places_.end(),
                                 [path](const Place& p) { return p.path == path; });
    problems_.add(at == places_.end() ? root : *at->node, std::move(text));
  }

  void check_agreement(const Node& root) {
    const ContainerPool& pool = settings_.container_pool;
    if (pool.size > pool.max_total) {
      disagree(root,
               places_.empty() ? "" : present("container_pool.size", "container_pool.max_total"),
               fmt::format("container_pool.size is {} and container_pool.max_total is {}; allowed: "
                           "size at most max_total",
                           pool.size, pool.max_total));
    }
    check_patience(root);
    if (settings_.recording.max_bytes > settings_.disk.recordings_bytes) {
      disagree(root, present("recording.max_bytes", "disk.recordings_bytes"),
               "recording.max_bytes is more than disk.recordings_bytes; allowed: at most as much");
    }
    if (settings_.logging.rotate_bytes > settings_.disk.logs_bytes) {
      disagree(root, present("logging.rotate_bytes", "disk.logs_bytes"),
               "logging.rotate_bytes is more than disk.logs_bytes; allowed: at most as much");
    }
    const Authentication& auth = settings_.authentication;
    if (auth.failure_delay_min > auth.failure_delay_max) {
      disagree(root,
               present("authentication.failure_delay_min", "authentication.failure_delay_max"),
               fmt::format("failure_delay_min is {} and failure_delay_max is {}; allowed: min at "
                           "most max",
                           format_duration(auth.failure_delay_min),
                           format_duration(auth.failure_delay_max)));
    }
    if (std::uint64_t{settings_.oci.userns_base} + settings_.oci.userns_size > 4'294'967'295U) {
      disagree(root, present("oci.userns_base", "oci.userns_size"),
               "oci.userns_base and oci.userns_size together are beyond the last user id; allowed: "
               "a sum of at most 4294967295");
    }
    if (settings_.server.gate_user == settings_.server.scribe_user) {
      disagree(root, present("server.gate_user", "server.scribe_user"),
               "server.gate_user and server.scribe_user are the same account; allowed: two "
               "different ones, so that a gate that was taken over cannot touch the recordings");
    }
  }

  void check_patience(const Node& root) {
    const ContainerPool& pool = settings_.container_pool;
    if (pool.backoff_most < pool.backoff_first) {
      disagree(
          root, present("container_pool.backoff_most", "container_pool.backoff_first"),
          fmt::format("backoff_first is {} and backoff_most is {}; allowed: first at most most",
                      format_duration(pool.backoff_first), format_duration(pool.backoff_most)));
    }
    // Whoever waits must still be there when it is the engine's turn.
    const std::pair<std::string_view, std::chrono::milliseconds> waits[] = {
        {"container_pool.verify_timeout", pool.verify_timeout},
        {"container_pool.claim_timeout", pool.claim_timeout},
        {"cases.account_timeout", settings_.cases.account_timeout}};
    for (const auto& [path, wait] : waits) {
      if (pool.agent_timeout < wait) continue;
      disagree(root, present("container_pool.agent_timeout", path),
               fmt::format("container_pool.agent_timeout is {} and {} is {}; allowed: "
                           "agent_timeout less, so that the engine's turn comes",
                           format_duration(pool.agent_timeout), path, format_duration(wait)));
    }
  }

  bool is_set(std::string_view path) const {
    return std::any_of(places_.begin(), places_.end(),
                       [path](const Place& p) { return p.path == path; });
  }

  // The persona, and its limits where the document sets none.
  void take_persona(const Node& root) {
    Server& server = settings_.server;
    if (!server.persona_file.empty() && server.persona_document.empty()) return;  // not read yet
    PersonaRead own;
    const PersonaFile* file = compiled_persona(server.persona);
    if (!server.persona_document.empty()) {
      own = read_persona(server.persona_document,
                         server.persona_file.empty() ? "persona_document" : server.persona_file);
      for (const Problem& problem : own.problems) foreign_.push_back(problem);
      if (!own.problems.empty()) return;
      file = &own.file;
      const std::string& name = own.file.common.profile.name;
      if (!is_set("server.persona")) server.persona = name;
      if (server.persona != name) {
        return disagree(root, "server.persona",
                        fmt::format("persona {} is not the one in persona_file; allowed: {}",
                                    server.persona, name));
      }
    }
    if (file == nullptr) {
      return disagree(
          root, "server.persona",
          fmt::format("persona {} is not known; allowed: {}", quoted_for_people(server.persona),
                      fmt::join(compiled_personas(), ", ")));
    }
    const auto persona = file->at(server.persona_revision, server.legacy);
    if (!persona) return disagree(root, "server.persona_revision", persona.error().context);
    server.persona_revision = persona->revision;
    take_limits(persona->profile);
  }

  void take_limits(const ssh::Profile& p) {
    const auto take = [this](std::string_view path, auto& setting, auto value) {
      if (!is_set(path)) setting = value;
    };
    Authentication& auth = settings_.authentication;
    take("server.login_grace_time", settings_.server.login_grace_time, p.login_grace);
    take("server.max_sessions", settings_.server.max_sessions, p.max_sessions);
    take("authentication.max_auth_tries", auth.max_auth_tries, p.max_auth_tries);
    if (is_set("authentication.failure_delay_min") || is_set("authentication.failure_delay_max")) {
      return;
    }
    auth.failure_delay_min = p.pam_delay_min;
    auth.failure_delay_max = p.pam_delay_max;
  }

  std::string_view present(std::string_view first, std::string_view second) const {
    const bool has = std::any_of(places_.begin(), places_.end(),
                                 [first](const Place& p) { return p.path == first; });
    return has ? first : second;
  }

  void derive() {
    if (settings_.run_dir.empty()) {
      std::uint32_t hash = 2166136261U;  // FNV-1a: stable across runs and builds
      for (const char c : settings_.data_dir) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
      }
      settings_.run_dir = fmt::format("/run/sandtrap/{:08x}", hash);
    }
    if (settings_.server.host_key_dir.empty()) {
      settings_.server.host_key_dir = settings_.data_dir + "/keys";
    }
    derive_gate_view(settings_.authentication);
  }

  Problems problems_;
  std::vector<Problem> foreign_;  // of the persona's file
  std::vector<Key> keys_;
  std::string_view persona_document_;
  std::vector<Place> places_;
  Settings settings_;
};

}  // namespace

std::string to_string(const Problem& problem) {
  return fmt::format("{}:{}:{}: {}", problem.file, problem.line, problem.column, problem.text);
}

LoadResult load(std::string_view yaml_text, const std::string& file_name,
                std::string_view persona_document) {
  return Loader(file_name, persona_document).run(yaml_text);
}

base::Result<std::string> redact_for_gate(std::string_view yaml_text) {
  const LoadResult loaded = load(yaml_text, "configuration");
  if (!loaded.problems.empty()) {
    return base::fail(base::Errc::kInvalid, to_string(loaded.problems.front()));
  }
  return dump(loaded.settings, Audience::kGate);
}

}  // namespace sandtrap::config

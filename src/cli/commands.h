// The operator's subcommands, one function each; every one returns the process's exit code.
// `serve`, `listen` and the roles are the honeypot itself: app/serve.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/serve.h"

namespace sandtrap::cli {

using app::kBadConfig, app::kDefaultConfig, app::kFailed, app::kNoPermission, app::kOk, app::kUsage;

// Says on stderr what went wrong; the exit code to return.
int fail(const std::string& what, int code = kFailed);

struct CheckOptions {
  std::string config;
  bool json = false;
};
int check(const CheckOptions& options);

struct PersonasOptions {
  std::string file;     // empty: the compiled-in ones
  bool legacy = false;  // with server.legacy
  bool json = false;
};
int list_personas(const PersonasOptions& options);

struct KeygenOptions {
  std::string config, folder;  // the folder, or the configuration that names it
  bool force = false, json = false;
};
int keygen(const KeygenOptions& options);

struct ImageOptions {
  std::string output;  // empty: where the embedded engine looks first
};
int build_image(const ImageOptions& options);

struct PolicyTestOptions {
  std::string config, user, password;
  std::string source = "192.0.2.1", method = "password", key_type = "ssh-ed25519";
  std::uint32_t tries = 1;
  bool json = false;
};
// kOk: the last try is let in; kFailed: it is refused.
int test_policy(const PolicyTestOptions& options);

struct VerifyOptions {
  std::string config;
  std::vector<std::string> waive;  // names of checks whose failure does not count
  bool json = false, quick = false, list = false;
  bool document = false;  // hidden: docs/verify.md
};
int verify_containment(const VerifyOptions& options);

struct SessionsOptions {
  std::string config, source, user, case_id;  // empty: all
  std::string since, until;                   // "24h"
  bool all = false, json = false;
};
int list_sessions(const SessionsOptions& options);

struct ReplayOptions {
  std::string file, idle_limit;
  double speed = 1;
  bool input = false, cat = false;
};
int replay(const ReplayOptions& options);

struct DoctorOptions {
  std::string config;
  bool json = false;
};
int doctor(const DoctorOptions& options);

struct CasesOptions {
  std::string config;
  bool json = false, all = false;
  std::string source, state, user;  // empty: all
  std::string since;                // "24h"
};
int list_cases(const CasesOptions& options);

struct CaseOptions {
  std::string config, action, id;  // show, stop, freeze, thaw, drop
  bool json = false;
};
int case_command(const CaseOptions& options);

struct SandboxOptions {
  std::string config, action, id, file;  // diff, export
  bool rootfs = false, json = false;
};
int sandbox_command(const SandboxOptions& options);

struct CleanupOptions {
  std::string config, older_than, keep_bytes;
  bool dry_run = false, json = false;
};
int cleanup(const CleanupOptions& options);

struct StatusOptions {
  std::string config, role;  // of this role alone, or of the ports
  bool json = false, brief = false;
};
int status(const StatusOptions& options);

// Hidden: config/config.example.yaml and docs/configuration.md.
int print_config_document(bool reference);

}  // namespace sandtrap::cli

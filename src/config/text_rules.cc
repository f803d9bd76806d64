// table.h: what text a TextRule lets pass.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "config/node.h"
#include "config/table.h"
#include "config/value.h"

namespace sandtrap::config {
namespace {

constexpr std::size_t kMaxText = 4096;  // PATH_MAX

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto full = std::filesystem::absolute(path, error);
  if (error) return path;
  std::string out = full.lexically_normal().string();
  if (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

bool is_name(std::string_view text) {
  return !text.empty() && text.size() <= 63 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool is_system_folder(const std::string& path) {
  static constexpr std::string_view kFolders[] = {
      "/",        "/bin",     "/boot",    "/dev",      "/etc",  "/home", "/lib",
      "/lib64",   "/media",   "/mnt",     "/opt",      "/proc", "/root", "/run",
      "/sbin",    "/srv",     "/sys",     "/tmp",      "/usr",  "/var",  "/var/lib",
      "/var/log", "/var/run", "/var/tmp", "/usr/local"};
  return std::find(std::begin(kFolders), std::end(kFolders), path) != std::end(kFolders);
}

bool is_account(std::string_view text) {
  if (const auto number = parse_whole(text)) return *number >= 1 && *number < 4'294'967'295U;
  return is_name(text) && text != "root";
}

bool is_forward_rule(std::string_view text) {
  static constexpr std::string_view kOutcomes[] = {"refused",     "timed-out",    "no-route",
                                                   "unreachable", "unknown-name", "lookup-fails"};
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0) return false;
  const std::string_view outcome = text.substr(space + 1);
  return std::find(std::begin(kOutcomes), std::end(kOutcomes), outcome) != std::end(kOutcomes);
}

// Linux 6.x's list is longer than any fixed one here stays true: the engine checks the name.
bool is_capability(std::string_view text) {
  return !text.empty() && text.size() <= 32 && !text.starts_with("CAP_") &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || c == '_' || (c >= '0' && c <= '9');
         });
}

}  // namespace

std::string check_text(TextRule rule, std::string& text) {
  const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (text.empty()) return "is empty";
  if (rule == TextRule::kDocument) return text.size() > kMaxPersona ? "is too long" : "";
  if (text.size() > kMaxText) return fmt::format("is longer than {} bytes", kMaxText);
  if (std::any_of(text.begin(), text.end(), control)) return "holds control characters";
  switch (rule) {
    case TextRule::kAny:
      return {};
    case TextRule::kPath:
      text = absolute(text);
      return {};
    case TextRule::kSystemSafe:
      text = absolute(text);
      return is_system_folder(text) ? "is a folder of the system itself" : "";
    case TextRule::kAccount:
      return is_account(text) ? "" : "is not an unprivileged account";
    case TextRule::kDocument:
      return {};
    case TextRule::kPersona:  // which ones there are is asked when all settings are read
    case TextRule::kName:
      return is_name(text) ? "" : "is not a name";
    case TextRule::kCapability:
      return is_capability(text) ? "" : "is not a capability";
    case TextRule::kForward:
      return is_forward_rule(text) ? "" : "is not `TARGET OUTCOME`";
    case TextRule::kCaseKey: {
      static constexpr std::string_view kKeys[] = {"source", "credential", "client_key", "hassh"};
      return std::find(std::begin(kKeys), std::end(kKeys), text) != std::end(kKeys)
                 ? ""
                 : "is not known";
    }
    case TextRule::kListen: {
      const auto address = parse_listen(text);
      return address ? "" : address.error().context;
    }
  }
  return {};
}

}  // namespace sandtrap::config

// The one list of all settings: name, type, limits, help and the member it fills. Reading,
// printing, the example file and the reference document are all driven by it; defaults come from
// settings.h, so nothing is written twice.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/node.h"
#include "config/settings.h"

namespace sandtrap::config {

template <class T>
using Member = T& (*)(Settings&);

enum class TextRule {
  kAny,         // no control characters
  kPath,        // a path; relative ones count from where sandtrap is started
  kSystemSafe,  // a path that is no folder of the system itself: we change its owner and mode
  kAccount,     // user name or number
  kName,        // letters, digits, '.', '_', '-'
  kCapability,  // Linux capability without CAP_
  kListen,      // "ip:port"
  kPersona,     // a compiled-in persona, or the one of server.persona_file
  kDocument,    // lines of text
  kForward,     // "TARGET OUTCOME"
  kCaseKey,     // source, credential, client_key or hassh
};

struct TextType {
  Member<std::string> get;
  TextRule rule = TextRule::kAny;
  std::vector<std::string_view> choices = {};  // not empty: one of these
  std::string_view derived = {};               // not empty: may be left out, and then means this
};
struct BoolType {
  Member<bool> get;
};
struct CountType {
  Member<std::uint32_t> get;
  std::uint32_t min = 0, max = 0;
};
struct OptionalCountType {  // `false` is none
  Member<std::optional<std::uint32_t>> get;
  std::uint32_t min = 0, max = 0;
};
struct RealType {
  Member<double> get;
  double min = 0, max = 0;
};
struct SizeType {
  Member<std::uint64_t> get;
  std::uint64_t min = 0, max = 0;
};
struct SecondsType {
  Member<std::chrono::seconds> get;
  std::chrono::seconds min{0}, max{0};
};
struct MillisecondsType {
  Member<std::chrono::milliseconds> get;
  std::chrono::milliseconds min{0}, max{0};
};
struct TextListType {
  Member<std::vector<std::string>> get;
  TextRule rule = TextRule::kAny;
  std::size_t min = 0, max = 0;
};
struct StartupsType {
  Member<MaxStartups> get;
};
struct PublicKeysType {
  Member<Authentication::PublicKeys> get;
};
struct StickyType {
  Member<Sticky> get;
};
struct LoginRulesType {
  Member<std::vector<LoginRule>> get;
};
struct PoolImagesType {
  Member<std::vector<PoolImage>> get;
};
struct CredentialsType {
  Member<std::vector<Credential>> get;
};

using Type = std::variant<TextType, BoolType, CountType, OptionalCountType, RealType, SizeType,
                          SecondsType, MillisecondsType, TextListType, StartupsType, PublicKeysType,
                          CredentialsType, StickyType, LoginRulesType, PoolImagesType>;

struct Key {
  std::string_view section;  // "" at the top level
  std::string_view name;
  Type type;
  std::string_view help;      // full sentences; the first says what it does
  bool gate_may_know = true;  // false: not in the text that the gate reads
  // Follows from other settings that the gate must not know: only in the text that it reads.
  bool only_for_gate = false;
  bool internal = false;  // passed between our own processes; in no document

  std::string path() const;  // "server.listen"
};

struct Section {
  std::string_view name, help;
};

std::vector<Section> sections();                        // in the order of the file; "" first
std::vector<Key> sandbox_keys();                        // table_sandboxes.cc: a part of keys()
std::vector<Key> evidence_keys();                       // table_evidence.cc: a part of keys()
std::vector<Key> keys();                                // grouped by section, same order
std::span<const std::string_view> public_keys_names();  // by enumerator

// "a whole number from 1 to 100"
std::string allowed(const Type& type);
// The value as YAML in one line: what a person would write, and reads back as the same.
std::string print(const Type& type, const Settings& settings);
// "" if `text` obeys the rule (and is made canonical), else what is wrong with it.
std::string check_text(TextRule rule, std::string& text);
// Fills the member, or says what is wrong; then the member keeps its value.
void read(const Key& key, const Node& node, Settings& out, Problems& problems);

}  // namespace sandtrap::config

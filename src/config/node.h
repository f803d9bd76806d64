// A YAML document as a tree in which every value knows its place. Strict on purpose: no anchors,
// aliases, tags or duplicate keys, and small limits, because the file may be hostile or just wrong.
// yaml-cpp stays behind node.cc.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings.h"

namespace sandtrap::config {

inline constexpr std::size_t kMaxDocument = 256 * 1024;  // bytes
// A persona's document travels inside of the settings, where each line end takes four bytes.
inline constexpr std::size_t kMaxPersona = 32 * 1024;
inline constexpr std::size_t kMaxDepth = 8;  // the deepest setting needs 4
inline constexpr std::size_t kMaxNodes = 50'000;
inline constexpr std::size_t kMaxMembers = 1'000;  // keys of one map: the duplicate check is linear
inline constexpr std::size_t kMaxProblems = 100;

struct Node {
  enum class Kind { kNull, kScalar, kSequence, kMap };
  Kind kind = Kind::kNull;
  int line = 1, column = 1;  // 1-based
  std::string text;          // scalar
  bool quoted = false;       // scalar: was written in quotes, so it is text and never a number
  std::vector<Node> keys;    // map: scalars, as many as items
  std::vector<Node> items;   // sequence and map
};

// Collects problems of one file, at most kMaxProblems (one more says that there were more).
class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}
  void add(const Node& where, std::string text) { add(where.line, where.column, std::move(text)); }
  void add(int line, int column, std::string text);
  bool empty() const { return list_.empty(); }
  std::vector<Problem> take() &&;  // in the order of the file

 private:
  std::string file_;
  std::vector<Problem> list_;
  bool overflowed_ = false;
};

// nullopt when the text is not YAML at all; the reason is in `problems`. An empty text is kNull.
// A tree may come back beside problems (a duplicate key): reading goes on to find all of them.
std::optional<Node> parse_document(std::string_view text, Problems& problems);

}  // namespace sandtrap::config

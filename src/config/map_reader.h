// Reads one map of a document that the table of settings does not describe: each call takes a key,
// checks its type and its limits, and notes the name; finish() refuses what nobody asked for.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"

namespace sandtrap::config {

enum class Need { kRequired, kOptional };

class MapReader {
 public:
  // `what` names the map in messages: "section transport". The node may be of any kind.
  MapReader(const Node& node, std::string what, Problems& problems);

  const Node* find(std::string_view name, Need need);  // null: missing, or without a value
  // Each leaves `out` alone when the key is missing or wrong.
  const Node* text(std::string_view name, std::string& out, std::size_t max,
                   Need need = Need::kOptional);
  const Node* flag(std::string_view name, bool& out);
  const Node* count(std::string_view name, std::uint64_t& out, std::uint64_t min,
                    std::uint64_t max);
  const Node* count(std::string_view name, std::uint32_t& out, std::uint32_t min,
                    std::uint32_t max);
  const Node* duration(std::string_view name, std::chrono::milliseconds& out,
                       std::chrono::milliseconds max);
  const Node* texts(std::string_view name, std::vector<std::string>& out, std::size_t max_items,
                    std::size_t max_text, Need need = Need::kOptional);
  // The items of a sequence of maps or texts; null when there is none.
  const Node* items(std::string_view name, std::size_t max_items, Need need);
  MapReader section(std::string_view name);  // an empty map when it is missing
  void finish();

 private:
  const Node* scalar(std::string_view name, Need need);
  void wrong(const Node& at, std::string text);

  const Node& node_;
  std::string what_;
  Problems& problems_;
  std::vector<std::string_view> names_;
};

}  // namespace sandtrap::config

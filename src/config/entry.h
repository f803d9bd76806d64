// Reads one {key: value, …} entry of a list of settings: each field at most once, every problem at
// its own place, unknown keys last. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/node.h"
#include "config/table.h"

namespace sandtrap::config {

class Entry {
 public:
  // `where` names the entry in messages ("authentication.rules[2]"). Both outlive this.
  Entry(const Node& node, std::string where, Problems& problems);

  bool good() const { return node_.kind == Node::Kind::kMap; }
  // The value of a key, or nullptr. Whatever was asked for is known.
  const Node* find(std::string_view name);

  void text(std::string_view name, TextRule rule, std::string& out);
  // One text or a list of up to `most`.
  void texts(std::string_view name, TextRule rule, std::size_t most, std::vector<std::string>& out);
  void count(std::string_view name, std::uint32_t min, std::uint32_t max,
             std::optional<std::uint32_t>& out);
  void real(std::string_view name, double min, double max, std::optional<double>& out);
  // The position of the value in `choices`.
  std::optional<std::size_t> choice(std::string_view name,
                                    const std::vector<std::string_view>& choices);
  // As texts(), each one of `choices`.
  void choices(std::string_view name, const std::vector<std::string_view>& choices,
               std::vector<std::string>& out);

  void wrong(const Node& at, std::string_view what);
  void wrong_at(const Node& at, std::size_t offset, std::string_view what);
  const Node& node() const { return node_; }
  // Call last: what nobody asked for is a mistake.
  void finish();

 private:
  bool scalar(const Node& node, std::string_view name);
  // The scalars of one text or a list of them.
  std::vector<const Node*> scalars(std::string_view name, std::size_t most);

  const Node& node_;
  std::string where_;
  Problems& problems_;
  std::vector<std::string_view> known_;
};

}  // namespace sandtrap::config

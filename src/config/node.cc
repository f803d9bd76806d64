#include "config/node.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "config/value.h"

namespace sandtrap::config {
namespace {

// Builds the tree from yaml-cpp's events instead of its Node: the events show duplicate keys and
// aliases, which the Node hides. Throws YAML::ParserException at a limit; parse_document catches.
class Builder final : public YAML::EventHandler {
 public:
  explicit Builder(Problems& problems) : problems_(problems) {}

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    refuse_extras(mark, {}, anchor);
    add(make(mark, Node::Kind::kNull));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    problems_.add(mark.line + 1, mark.column + 1,
                  "anchors and aliases are not supported; write the value out");
    add(make(mark, Node::Kind::kNull));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_extras(mark, tag, anchor);
    Node node = make(mark, Node::Kind::kScalar);
    node.text = value;
    node.quoted = tag == "!";  // yaml-cpp: "?" plain, "!" quoted or block
    add(std::move(node));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, Node::Kind::kSequence);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    begin(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { end(); }

  Node take_root() { return std::move(root_); }

 private:
  Node make(const YAML::Mark& mark, Node::Kind kind) {
    if (++nodes_ > kMaxNodes) {
      throw YAML::ParserException(mark, fmt::format("more than {} values", kMaxNodes));
    }
    Node node;
    node.kind = kind;
    node.line = mark.line + 1;
    node.column = mark.column + 1;
    return node;
  }

  void refuse_extras(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != 0) {
      problems_.add(mark.line + 1, mark.column + 1,
                    "anchors and aliases are not supported; write the value out");
    }
    if (!tag.empty() && tag != "?" && tag != "!") {
      problems_.add(mark.line + 1, mark.column + 1, "YAML tags are not supported");
    }
  }

  void begin(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
             Node::Kind kind) {
    refuse_extras(mark, tag, anchor);
    if (open_.size() >= kMaxDepth) {
      throw YAML::ParserException(mark, fmt::format("nested deeper than {} levels", kMaxDepth));
    }
    open_.push_back(make(mark, kind));
  }

  void end() {
    Node done = std::move(open_.back());
    open_.pop_back();
    if (done.kind == Node::Kind::kMap) done.keys.resize(done.items.size());
    add(std::move(done));
  }

  void add(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Node& parent = open_.back();
    if (parent.kind == Node::Kind::kSequence) {
      parent.items.push_back(std::move(node));
      return;
    }
    if (parent.keys.size() > parent.items.size()) {
      if (node.kind == Node::Kind::kNull) {  // yaml-cpp places a missing value at the next token
        node.line = parent.keys.back().line;
        node.column = parent.keys.back().column;
      }
      parent.items.push_back(std::move(node));
      return;
    }
    add_key(parent, std::move(node));
  }

  void add_key(Node& map, Node key) {
    if (map.keys.size() >= kMaxMembers) {
      throw YAML::ParserException(YAML::Mark::null_mark(),
                                  fmt::format("a map of more than {} keys", kMaxMembers));
    }
    if (key.kind != Node::Kind::kScalar) {
      problems_.add(key, "a key must be plain text");
      key.kind = Node::Kind::kNull;  // its value is skipped by the readers
    } else {
      const auto same = [&key](const Node& k) {
        return k.kind == Node::Kind::kScalar && k.text == key.text;
      };
      const auto first = std::find_if(map.keys.begin(), map.keys.end(), same);
      if (first != map.keys.end()) {
        problems_.add(key, fmt::format("duplicate key {}; it is already set in line {}",
                                       quoted_for_people(key.text), first->line));
        key.kind = Node::Kind::kNull;
      }
    }
    map.keys.push_back(std::move(key));
  }

  Problems& problems_;
  std::vector<Node> open_;
  Node root_;
  std::size_t nodes_ = 0;
};

}  // namespace

void Problems::add(int line, int column, std::string text) {
  if (list_.size() >= kMaxProblems) {
    overflowed_ = true;
    return;
  }
  list_.push_back(Problem{file_, line, column, std::move(text)});
}

std::vector<Problem> Problems::take() && {
  std::stable_sort(list_.begin(), list_.end(), [](const Problem& a, const Problem& b) {
    return std::pair(a.line, a.column) < std::pair(b.line, b.column);
  });
  if (overflowed_) {
    list_.push_back(Problem{file_, list_.back().line, list_.back().column,
                            "too many problems; the rest is not shown"});
  }
  return std::move(list_);
}

std::optional<Node> parse_document(std::string_view text, Problems& problems) {
  if (text.size() > kMaxDocument) {
    problems.add(1, 1,
                 fmt::format("the file is {} bytes long; allowed: at most {} KiB", text.size(),
                             kMaxDocument / 1024));
    return std::nullopt;
  }
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Builder builder(problems);
    if (!parser.HandleNextDocument(builder)) return Node{};
    Node root = builder.take_root();
    Builder second(problems);
    if (parser.HandleNextDocument(second)) {
      problems.add(second.take_root(), "a second YAML document; one file holds one document");
    }
    return root;
  } catch (const YAML::Exception& e) {
    problems.add(std::max(e.mark.line, 0) + 1, std::max(e.mark.column, 0) + 1,
                 fmt::format("not valid YAML: {}", e.msg));
  } catch (const std::exception& e) {
    problems.add(1, 1, fmt::format("not valid YAML: {}", e.what()));
  }
  return std::nullopt;
}

}  // namespace sandtrap::config

// The readers of settings that are lists of entries (table.h drives them). Pure.
#pragma once

#include <vector>

#include "config/node.h"
#include "config/settings.h"

namespace sandtrap::config {

inline constexpr std::size_t kMaxLoginRules = 1000;

// `node` is a sequence of at most kMaxLoginRules.
std::vector<LoginRule> read_rules(const Node& node, Problems& problems);

// `node` is a sequence of at most kMaxPoolImages.
std::vector<PoolImage> read_images(const Node& node, Problems& problems);

}  // namespace sandtrap::config

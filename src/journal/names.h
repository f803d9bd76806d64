// The event log's files in the data folder: events.jsonl, which is appended to, and below logs/
// those that were moved there, plain until they are compressed. Their names sort as their time
// does. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/instant.h"

namespace sandtrap::journal {

inline constexpr char kCurrent[] = "events.jsonl";
inline constexpr char kFolder[] = "logs";
inline constexpr std::string_view kPlain = ".jsonl", kCompressed = ".jsonl.gz";

// "events-20261122T064512.012345Z.jsonl": moved at that time.
std::string moved_name(base::WallTime now);
bool is_moved(std::string_view name);       // plain or compressed
bool is_compressed(std::string_view name);  // of a name that is_moved()
// What compressing writes before it is whole: ".NAME.new". A crash may leave one.
std::string unfinished_of(std::string_view compressed_name);
bool is_unfinished(std::string_view name);
std::string compressed_of(std::string_view plain_name);

// What of a folder's names is the log, in order of time. A crash between compressing and removing
// leaves a file in both forms: the compressed one is whole then, and the plain one left out.
std::vector<std::string> in_order(std::vector<std::string> names);

}  // namespace sandtrap::journal

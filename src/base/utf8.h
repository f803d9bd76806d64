// UTF-8 as the log and the recordings need it: how far is this valid, and could more bytes make the
// rest valid? Well-formed is RFC 3629 §4: no overlong forms, no surrogates, nothing past U+10FFFF.
#pragma once

#include "base/bytes.h"

namespace sandtrap::base {

// Length of the longest prefix of whole, well-formed sequences. ASCII goes eight bytes at a time.
std::size_t utf8_valid_prefix(ByteView bytes);

// True if `rest` (1..3 bytes) is the beginning of a well-formed sequence that more bytes could end.
bool utf8_incomplete(ByteView rest);

}  // namespace sandtrap::base

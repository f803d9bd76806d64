// Reads the whole event log back, oldest line first: what was moved to logs/, plain or compressed,
// then events.jsonl. Works beside the roles that write. Files are foreign input: a line that is too
// long is passed over, a file that cannot be read to its end is named in problems().
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "journal/gzip.h"

namespace sandtrap::journal {

class Reader {
 public:
  static constexpr std::size_t kMaxLine = 8U << 20;

  static base::Result<Reader> open(const std::string& data_dir);
  // Without its newline, valid until the next call; none at the end. Lines of blanks are left out.
  std::optional<std::string_view> next();
  const std::vector<std::string>& problems() const { return problems_; }

 private:
  struct File {
    std::string name;
    base::Fd fd;
    std::optional<GzipReader> gzip;
  };
  bool fill();       // false: no more bytes in this file
  bool next_file();  // false: no more files

  base::Fd folder_;
  base::Fd current_;  // opened first, so that a file that is moved meanwhile is not read twice
  std::vector<std::string> names_;
  std::size_t at_ = 0;
  File file_;
  std::string buffer_;
  std::size_t begin_ = 0;
  bool skipping_ = false, ended_ = false;  // inside a line that is too long; file at its end
  std::vector<std::string> problems_;
};

}  // namespace sandtrap::journal

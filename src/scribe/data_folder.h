// The data folder as the scribe sees it: opened once, before privileges drop; from then on every
// file is reached from that descriptor by names made here, and no symbolic link is followed.
// docs/recordings.md shows the layout.
#pragma once

#include <fcntl.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/fd.h"
#include "base/instant.h"

namespace sandtrap::scribe {

struct Origin {  // what OpenRecording said; kept beside the recording until it is finished
  std::string session, case_id, sandbox, source_ip;
  std::uint16_t source_port = 0;
  std::uint32_t channel = 0;
};

struct NewRecording {
  std::string path;  // relative to the data folder: recordings/2026-11-21/….cast
  base::Fd cast, binary;
};

struct Unfinished {  // found at start: its scribe died before it was finished
  std::string path;
  Origin origin;
  bool complete = false;  // its writer had said that it is all there
};

struct RecordingFiles {
  base::Fd cast, binary;  // O_RDWR
};

class DataFolder {
 public:
  static base::Result<DataFolder> open(const std::string& path);
  base::Status prepare();  // recordings/ and recordings/.open/

  const base::Fd& root() const { return root_; }
  const base::Fd& recordings() const { return recordings_; }

  base::Result<base::Fd> open_log() const;             // O_APPEND, made if absent
  base::Result<base::Fd> open_log_for_repair() const;  // O_RDWR

  // Both files new and empty. A marker in recordings/.open/ holds `origin` until finished().
  base::Result<NewRecording> create_recording(const Origin& origin, base::WallTime now);
  base::Result<RecordingFiles> open_recording(const std::string& path, int access = O_RDWR) const;
  bool is_open(const std::string& path) const;  // not finished()
  // Whether any process still has the .cast open for writing.
  bool has_writer(const std::string& path) const;
  void mark_complete(const std::string& path);  // survives our death between here and finished()
  void remove_sidecar(const std::string& path);
  void finished(const std::string& path);
  std::vector<Unfinished> unfinished() const;

 private:
  base::Result<base::Fd> day_of(const std::string& path) const;

  base::Fd root_, recordings_, markers_;
};

// "….cast" → "….bin"
std::string sidecar_of(const std::string& cast_path);

}  // namespace sandtrap::scribe

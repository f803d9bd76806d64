// Pumps one channel: program's descriptors <-> SSH channel, with the recording in between. The SSH
// window is the back-pressure: no room, no read. Bytes are on file before they travel on. Lives on
// the gate's loop; owned by its session, which is also its ChannelPort and outlives it.
//
//   client --input()--> [recording] --> program's stdin      (backlog: at most the SSH window)
//   program's output --read--> [stdcopy] --> [recording] --> ChannelPort::output()
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/fd.h"
#include "base/instant.h"
#include "gate/recording_writer.h"
#include "gate/stdcopy.h"
#include "ssh/server.h"

namespace sandtrap::gate {

// What a bridge needs of the SSH side.
class ChannelPort {
 public:
  virtual std::size_t room(ssh::ChannelId channel) = 0;
  // Takes what there is room for; returns how much.
  virtual std::size_t output(ssh::ChannelId channel, ssh::Stream stream, base::ByteView data) = 0;
  virtual void consumed(ssh::ChannelId channel, std::size_t n) = 0;
  // `recent`: how much output came in the last moment.
  virtual void output_ended(ssh::ChannelId channel, std::size_t recent) = 0;
  virtual void input_closed(ssh::ChannelId channel) = 0;  // the program reads no more
  // The recording cannot be written (nothing may go on unrecorded), or the stream is broken.
  virtual void failed(ssh::ChannelId channel, const base::Error& error) = 0;
  // Bytes of stdin that wait in memory, for all bridges together; false: too many.
  virtual bool hold_input(std::int64_t difference) = 0;
  virtual void settle() = 0;  // a callback of the bridge is over: send what it queued

 protected:
  ~ChannelPort() = default;
};

struct ProgramStreams {
  base::Fd input, output, error;  // duplex: `input` alone, both ways
  bool terminal = false;          // EOF of the client means nothing to a terminal
  bool multiplexed = false;       // stdcopy frames come in
  base::Bytes early_output;       // what was read before we had the descriptor
};

class Bridge : public std::enable_shared_from_this<Bridge> {
 public:
  struct Options {
    ssh::ChannelId channel = 0;
    bool record_input = true;
    base::MutableByteView scratch;  // shared by all bridges of the loop
  };
  struct Totals {
    std::uint64_t in = 0, out = 0, error = 0;
  };

  Bridge(boost::asio::any_io_executor executor, ChannelPort& port, ProgramStreams streams,
         std::optional<RecordingWriter> recording, Options options);
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  void start();
  void input(base::ByteView data);
  void input_ended();
  void resize(std::uint32_t columns, std::uint32_t rows);
  // Output waits for room on the channel: call feed() when there may be some.
  bool starved() const { return starved_; }
  // Reads what is there now: also before an exit is reported, for that to come after the output.
  void feed();
  // Closes every descriptor and finishes the recording; returns its path, if there was one.
  std::string close();
  const Totals& totals() const { return totals_; }

 private:
  using Descriptor = boost::asio::posix::stream_descriptor;
  struct Source {
    std::optional<Descriptor> descriptor;
    ssh::Stream stream = ssh::Stream::kOutput;
    bool waiting = false;
    bool open() const { return descriptor && descriptor->is_open(); }
  };

  void assign(std::optional<Descriptor>& to, base::Fd fd);
  void pump(Source& source);
  enum class Read { kMore, kDry, kStop };
  Read read_once(Source& source);
  void wait_readable(Source& source);
  void on_readable(Source& source);
  void source_ended(Source& source);

  bool deliver(const Source& source, base::ByteView data);
  bool forward(ssh::Stream stream, base::ByteView data);
  bool send_held();
  void note_output(std::size_t size);
  std::size_t recent_output() const;
  bool record(record::Stream stream, base::ByteView data);
  void fail(const base::Error& error);

  int input_fd();
  std::size_t write_input(base::ByteView data);
  void wait_writable();
  void on_writable();
  void end_input();
  void stop_input();
  void drop_input();
  void drop_backlog();

  boost::asio::any_io_executor executor_;
  ChannelPort& port_;
  Options options_;
  std::optional<RecordingWriter> recording_;
  bool terminal_, duplex_, multiplexed_;
  base::Bytes early_output_;
  StdcopyDecoder decoder_;
  Source sources_[2];
  std::optional<Descriptor> input_;  // not for duplex streams: those write to the first source

  // Output that did not fit the window, in order; at most one read's worth.
  struct Held {
    ssh::Stream stream;
    base::Bytes bytes;
  };
  std::vector<Held> held_;
  base::Bytes backlog_;  // stdin that the program has not taken; [backlog_done_, end)
  std::size_t backlog_done_ = 0;
  bool starved_ = false, writing_ = false, input_open_ = true, input_ending_ = false;
  bool ended_ = false, closed_ = false, broken_ = false;
  Totals totals_;
  base::Instant last_output_{};
  std::size_t burst_ = 0;  // bytes without a pause
};

}  // namespace sandtrap::gate

#include "gate/bridge.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace sandtrap::gate {
namespace {

constexpr int kReadsPerTurn = 4;  // then the other sessions have their turn
// An end this close behind output is one that sshd would have met while it still sent that output.
constexpr std::chrono::microseconds kMoment{2000};

record::Stream recorded_as(ssh::Stream stream) {
  return stream == ssh::Stream::kError ? record::Stream::kError : record::Stream::kOutput;
}

}  // namespace

Bridge::Bridge(boost::asio::any_io_executor executor, ChannelPort& port, ProgramStreams streams,
               std::optional<RecordingWriter> recording, Options options)
    : executor_(std::move(executor)),
      port_(port),
      options_(options),
      recording_(std::move(recording)),
      terminal_(streams.terminal),
      duplex_(!streams.output),
      multiplexed_(streams.multiplexed),
      early_output_(std::move(streams.early_output)) {
  if (duplex_) {
    assign(sources_[0].descriptor, std::move(streams.input));
  } else {
    assign(input_, std::move(streams.input));
    assign(sources_[0].descriptor, std::move(streams.output));
    if (streams.error) assign(sources_[1].descriptor, std::move(streams.error));
    sources_[1].stream = ssh::Stream::kError;
  }
}

void Bridge::assign(std::optional<Descriptor>& to, base::Fd fd) {
  int on = 1;
  ::ioctl(fd.get(), FIONBIO, &on);
  to.emplace(executor_);
  boost::system::error_code error;
  to->assign(fd.get(), error);
  if (!error) fd.release();  // else it closes, and the stream counts as ended
}

void Bridge::start() {
  if (!early_output_.empty()) {
    const base::Bytes early = std::move(early_output_);
    early_output_ = {};
    deliver(sources_[0], early);
  }
  feed();
}

void Bridge::feed() {
  if (closed_ || broken_) return;
  starved_ = false;
  if (!send_held()) return;
  for (Source& source : sources_) pump(source);
  if (broken_ || ended_ || sources_[0].open() || sources_[1].open() || !held_.empty()) return;
  ended_ = true;
  port_.output_ended(options_.channel, recent_output());
}

void Bridge::pump(Source& source) {
  for (int i = 0; i < kReadsPerTurn; ++i) {
    if (closed_ || broken_ || starved_ || !source.open()) return;
    const Read read = read_once(source);
    if (read == Read::kStop) return;
    if (read == Read::kDry) break;
  }
  wait_readable(source);
}

Bridge::Read Bridge::read_once(Source& source) {
  if (!send_held()) return Read::kStop;
  const std::size_t room = port_.room(options_.channel);
  if (room == 0) {
    starved_ = true;
    return Read::kStop;
  }
  const base::MutableByteView space =
      options_.scratch.first(std::min(options_.scratch.size(), room));
  const ssize_t n = ::read(source.descriptor->native_handle(), space.data(), space.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return Read::kDry;
  // A terminal whose last user is gone reads as EIO; any other error ends the stream as well.
  if (n <= 0) {
    source_ended(source);
    return Read::kStop;
  }
  const std::size_t size = static_cast<std::size_t>(n);
  if (!deliver(source, space.first(size))) return Read::kStop;
  return size == space.size() ? Read::kMore : Read::kDry;
}

void Bridge::wait_readable(Source& source) {
  if (source.waiting || closed_ || broken_ || starved_ || !source.open()) return;
  source.waiting = true;
  source.descriptor->async_wait(
      Descriptor::wait_read, [weak = weak_from_this(), &source](boost::system::error_code error) {
        const std::shared_ptr<Bridge> self = weak.lock();
        if (!self) return;  // `source` went with it
        source.waiting = false;
        if (!error) self->on_readable(source);
      });
}

void Bridge::on_readable(Source& source) {
  if (closed_) return;
  pump(source);
  if (!source.open()) feed();  // it ended: perhaps it was the last one
  port_.settle();
}

void Bridge::source_ended(Source& source) {
  if (duplex_) drop_input();  // one descriptor: the program's input went with it
  boost::system::error_code ignored;
  source.descriptor->close(ignored);
}

bool Bridge::deliver(const Source& source, base::ByteView data) {
  if (!multiplexed_) return forward(source.stream, data);
  while (const auto piece = decoder_.next(data)) {
    const bool error = piece->stream == StdcopyDecoder::Stream::kError;
    if (!forward(error ? ssh::Stream::kError : ssh::Stream::kOutput, piece->data)) return false;
  }
  if (!decoder_.broken()) return true;
  fail({base::Errc::kInvalid, "the container engine's output stream is malformed"});
  return false;
}

bool Bridge::forward(ssh::Stream stream, base::ByteView data) {
  if (broken_ || data.empty()) return !broken_;
  if (!record(recorded_as(stream), data)) return false;
  (stream == ssh::Stream::kError ? totals_.error : totals_.out) += data.size();
  note_output(data.size());
  std::size_t sent = 0;
  if (held_.empty()) sent = port_.output(options_.channel, stream, data);
  const base::ByteView rest = data.subspan(sent);
  if (rest.empty()) return true;
  held_.push_back({stream, base::Bytes(rest.begin(), rest.end())});
  starved_ = true;
  return true;
}

void Bridge::note_output(std::size_t size) {
  const base::Instant now = base::monotonic_now();
  if (now - last_output_ > kMoment) burst_ = 0;
  burst_ += size;
  last_output_ = now;
}

std::size_t Bridge::recent_output() const {
  return base::monotonic_now() - last_output_ > kMoment ? 0 : burst_;
}

bool Bridge::send_held() {
  while (!held_.empty()) {
    Held& first = held_.front();
    const std::size_t sent = port_.output(options_.channel, first.stream, first.bytes);
    if (sent < first.bytes.size()) {
      first.bytes.erase(first.bytes.begin(),
                        first.bytes.begin() + static_cast<std::ptrdiff_t>(sent));
      starved_ = true;
      return false;
    }
    held_.erase(held_.begin());
  }
  return true;
}

bool Bridge::record(record::Stream stream, base::ByteView data) {
  if (!recording_) return true;
  const base::Status kept = recording_->add(stream, data, base::monotonic_now());
  if (kept) return true;
  fail(kept.error());
  return false;
}

void Bridge::fail(const base::Error& error) {
  if (broken_) return;
  broken_ = true;
  port_.failed(options_.channel, error);
}

void Bridge::resize(std::uint32_t columns, std::uint32_t rows) {
  if (!recording_ || broken_) return;
  const base::Status kept = recording_->resize(columns, rows, base::monotonic_now());
  if (!kept) fail(kept.error());
}

std::string Bridge::close() {
  if (closed_) return {};
  closed_ = true;
  drop_backlog();
  boost::system::error_code ignored;
  for (Source& source : sources_) {
    if (source.descriptor) source.descriptor->close(ignored);
  }
  if (input_) input_->close(ignored);
  if (!recording_) return {};
  std::string path = recording_->path();
  // A failure here loses at most three held bytes of an already reported full disk.
  const base::Status kept = recording_->finish(base::monotonic_now());
  if (!kept) fail(kept.error());
  recording_.reset();
  return path;
}

}  // namespace sandtrap::gate

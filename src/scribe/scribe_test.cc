#include "scribe/scribe.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>

#include "config/document.h"
#include "event/event_log.h"
#include "journal/reader.h"
#include "net/channel.h"
#include "net/task.h"
#include "record/decoder.h"
#include "record/encoder.h"
#include "scribe/folder_for_test.h"
#include "scribe/intake.h"

namespace sandtrap::scribe {
namespace {

using net::Task;
constexpr char kSession[] = "0123456789ab";

// The scribe in a process of its own, as the supervisor starts it; the test is supervisor and peer.
class ScribeTest : public FolderTest {
 protected:
  ScribeTest() { settings_.disk.min_free_bytes = 0; }
  void SetUp() override {
    FolderTest::SetUp();
    if (::geteuid() == 0) {
      ASSERT_EQ(::chown(dir_.c_str(), 0, 61802), 0);
      ASSERT_EQ(::chmod(dir_.c_str(), 01770), 0);
    }
    start();
  }
  void TearDown() override {
    if (child_ > 0) kill_scribe();
    FolderTest::TearDown();
  }

  void start() {
    auto pair = net::channel_pair();
    ASSERT_TRUE(pair.has_value());
    child_ = ::fork();
    ASSERT_GE(child_, 0);
    if (child_ == 0) {
      pair->first.reset();
      settings_.data_dir = dir_;
      settings_.logging.sensor = "pot";
      base::Log log("scribe", base::LogLevel::kError);
      ::_exit(run(settings_, std::move(pair->second), log));
    }
    pair->second.reset();
    control_ = std::make_unique<net::Channel>(loop_.get_executor(), std::move(pair->first));
    ASSERT_TRUE(std::holds_alternative<ipc::RoleReady>(next(*control_).message));
  }
  void kill_scribe() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

  // The next packet of a channel; a test that gets none in ten seconds fails.
  net::Packet next(net::Channel& channel) {
    std::optional<base::Result<net::Packet>> got;
    boost::asio::co_spawn(loop_, channel.receive(),
                          [&got](const std::exception_ptr&, base::Result<net::Packet> result) {
                            got.emplace(std::move(result));
                          });
    loop_.restart();
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!got && loop_.run_one_until(end) > 0) continue;
    EXPECT_TRUE(got && *got) << (got ? got->error().context : "no answer");
    return got && *got ? std::move(**got) : net::Packet{};
  }
  std::unique_ptr<net::Channel> connect(const std::string& role) {
    auto pair = net::channel_pair();
    EXPECT_TRUE(pair.has_value());
    std::vector<base::Fd> descriptors;
    descriptors.push_back(std::move(pair->second));
    EXPECT_TRUE(control_->send(ipc::PeerConnected{role}, std::move(descriptors)));
    return std::make_unique<net::Channel>(loop_.get_executor(), std::move(pair->first));
  }
  struct Writer {
    std::string path;
    base::Fd cast, binary;
  };
  Writer open_recording(net::Channel& gate, std::uint32_t channel) {
    EXPECT_TRUE(gate.send(
        ipc::OpenRecording{kSession, channel, "192.0.2.1", "ba9876543210", "192.0.2.1", 50123}));
    net::Packet packet = next(gate);
    auto* opened = std::get_if<ipc::RecordingOpened>(&packet.message);
    EXPECT_TRUE(opened != nullptr && packet.descriptors.size() == 2);
    if (opened == nullptr || packet.descriptors.size() != 2) return {};
    return {opened->path, std::move(packet.descriptors[0]), std::move(packet.descriptors[1])};
  }
  static void write(const base::Fd& fd, std::string_view text) {
    EXPECT_EQ(::write(fd.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }
  // Ends the scribe as a supervisor does; what it had to do is then done.
  // What the scribe said of denied gates comes first.
  bool drained() {
    for (;;) {
      const ipc::Message message = next(*control_).message;
      if (!std::holds_alternative<ipc::GateDenied>(message)) {
        return std::holds_alternative<ipc::RoleDrained>(message);
      }
    }
  }

  void drain() {
    EXPECT_TRUE(control_->send(ipc::Drain{5}));
    EXPECT_TRUE(drained());
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
    EXPECT_EQ(status, 0);
  }
  std::string in_folder(const std::string& path) const { return dir_ + "/" + path; }

  config::Settings settings_;  // of the next start()
  boost::asio::io_context loop_;
  std::unique_ptr<net::Channel> control_;
  pid_t child_ = -1;
};

std::string header_line() {
  record::Header header;
  header.session = kSession;
  return record::Encoder(header, base::Instant()).header_line();
}

TEST_F(ScribeTest, GivesUpRootForGood) {
  if (::geteuid() != 0) GTEST_SKIP() << "not root";
  const std::string status = content("/proc/" + std::to_string(child_) + "/status");
  EXPECT_NE(status.find("Uid:\t61802\t61802\t61802\t61802"), std::string::npos) << status;
  EXPECT_NE(status.find("Gid:\t61802\t61802\t61802\t61802"), std::string::npos);
  EXPECT_NE(status.find("Groups:\t \n"), std::string::npos);
  EXPECT_NE(status.find("NoNewPrivs:\t1"), std::string::npos);
  EXPECT_NE(status.find("CapEff:\t0000000000000000"), std::string::npos);
  EXPECT_NE(status.find("CapPrm:\t0000000000000000"), std::string::npos);
}

TEST_F(ScribeTest, HandsOutTheLogToGateAndWarden) {
  std::vector<std::unique_ptr<net::Channel>> peers;
  for (const char* role : {"gate", "warden"}) {
    peers.push_back(connect(role));
    ASSERT_TRUE(peers.back()->send(ipc::OpenEventLog{}));
    net::Packet packet = next(*peers.back());
    ASSERT_TRUE(std::holds_alternative<ipc::EventLogOpened>(packet.message));
    ASSERT_EQ(packet.descriptors.size(), 1U);
    event::EventLog log(role);
    log.attach(std::move(packet.descriptors[0]));
    static_cast<void>(log.emit({}, event::ClientVersion{"hello"}));
    ASSERT_TRUE(log.flush());
  }
  peers.clear();
  drain();
  const auto said = events_of("client.version");
  ASSERT_EQ(said.size(), 2U);
  EXPECT_EQ(said[0].at("sensor").as_string(), "gate");
  EXPECT_EQ(events().back().at("event").as_string(), "sensor.stopped");
}

TEST_F(ScribeTest, FinishesARecordingWithItsSums) {
  auto gate = connect("gate");
  Writer text = open_recording(*gate, 0), mixed = open_recording(*gate, 1);
  write(text.cast, header_line());
  write(mixed.binary, "abc");
  write(mixed.cast, header_line() + "[0.1, \"O\", \"0+3\"]\n");
  ASSERT_TRUE(gate->send(ipc::FinishRecording{text.path}));
  ASSERT_TRUE(gate->send(ipc::FinishRecording{mixed.path}));
  gate.reset();
  drain();
  const auto done = events_of("recording.finished");
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0].at("session").as_string(), kSession);
  EXPECT_EQ(done[0].at("case").as_string(), "192.0.2.1");
  EXPECT_EQ(done[0].at("source_port").as_int64(), 50123);
  EXPECT_EQ(done[0].at("sandbox").as_string(), "ba9876543210");
  EXPECT_TRUE(done[0].at("complete").as_bool());
  EXPECT_FALSE(done[0].contains("sidecar_path"));
  EXPECT_TRUE(done[1].at("complete").as_bool());
  EXPECT_EQ(done[1].at("sidecar_sha256").as_string(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  const std::string first(done[0].at("path").as_string());
  EXPECT_TRUE(std::filesystem::exists(in_folder(first)));
  EXPECT_FALSE(std::filesystem::exists(in_folder(sidecar_of(first))));
  EXPECT_TRUE(std::filesystem::is_empty(in_folder("recordings/.open")));
}

TEST_F(ScribeTest, ALargeRecordingGoesToTheDiskWhileItGrows) {
  auto gate = connect("gate");
  Writer writer = open_recording(*gate, 0);
  const std::string piece(3 << 20, '\xff');
  std::size_t more = 0;
  write(writer.cast, header_line());
  for (int i = 0; i < 4; ++i) {
    write(writer.binary, piece);
    ASSERT_TRUE(gate->send(ipc::RecordingGrew{writer.path}));
  }
  ASSERT_TRUE(gate->send(ipc::RecordingGrew{"recordings/2026-11-21/nobody.cast"}));  // no harm
  // A step that found the disk busy is made good by the next note.
  const base::Fd look(::open(in_folder(sidecar_of(writer.path)).c_str(), O_RDONLY | O_CLOEXEC));
  const auto cached = [&] { return cached_pages(look.get(), piece.size()); };
  for (int i = 0; i < 500 && page_cache_can_go() && cached() >= 16; ++i) {
    ::usleep(10'000);
    write(writer.binary, std::string(1 << 20, '\xff'));
    more += 1 << 20;
    ASSERT_TRUE(gate->send(ipc::RecordingGrew{writer.path}));
  }
  if (page_cache_can_go()) {
    EXPECT_LT(cached(), 16);
  }
  ASSERT_TRUE(gate->send(ipc::FinishRecording{writer.path}));
  ASSERT_TRUE(gate->send(ipc::RecordingGrew{writer.path}));
  gate.reset();
  drain();
  const auto done = events_of("recording.finished");
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].at("sidecar_size").as_int64(),
            static_cast<std::int64_t>(4 * piece.size() + more));
  EXPECT_TRUE(events_of("ipc.denied").empty());
}

TEST_F(ScribeTest, AGateThatDiesLeavesValidRecordings) {
  auto gate = connect("gate");
  Writer writer = open_recording(*gate, 3);
  write(writer.cast, header_line() + "[0.1, \"o\", \"x\"]\n[0.2, \"o\", \"to");
  writer.cast.reset();
  writer.binary.reset();
  gate.reset();
  drain();
  const auto done = events_of("recording.finished");
  ASSERT_EQ(done.size(), 1U);
  EXPECT_FALSE(done[0].at("complete").as_bool());
  EXPECT_EQ(done[0].at("channel").as_int64(), 3);
  const auto decoded = record::decode(content(in_folder(writer.path)), {});
  ASSERT_TRUE(decoded.has_value());
  EXPECT_FALSE(decoded->torn);
  EXPECT_EQ(decoded->events.size(), 1U);
}

TEST_F(ScribeTest, AGateThatOutlivesUsGoesOnAndIsFinishedByTheNext) {
  auto gate = connect("gate");
  Writer living = open_recording(*gate, 1), dead = open_recording(*gate, 2);
  write(living.cast, header_line());
  write(dead.cast, header_line() + "[0.1, \"o\"");
  dead.cast.reset();
  dead.binary.reset();
  kill_scribe();
  write(living.cast, "[0.1, \"o\", \"still here\"]\n");
  start();
  auto again = connect("gate");
  write(living.cast, "[0.2, \"o\", \"and on\"]\n");
  ASSERT_TRUE(again->send(ipc::FinishRecording{living.path}));
  living.cast.reset();
  living.binary.reset();
  again.reset();
  drain();
  auto done = events_of("recording.finished");
  ASSERT_EQ(done.size(), 2U);
  if (done[0].at("channel").as_int64() != 1) std::swap(done[0], done[1]);
  EXPECT_TRUE(done[0].at("complete").as_bool());
  EXPECT_EQ(done[0].at("source_port").as_int64(), 50123);
  EXPECT_FALSE(done[1].at("complete").as_bool());
  EXPECT_EQ(record::decode(content(in_folder(living.path)), {})->events.size(), 2U);
  EXPECT_EQ(content(in_folder(dead.path)), header_line());
  EXPECT_TRUE(std::filesystem::is_empty(in_folder("recordings/.open")));
}

TEST_F(ScribeTest, ARecordingThatIsStillWrittenWaitsForTheNextStart) {
  auto gate = connect("gate");
  const Writer writer = open_recording(*gate, 1);
  gate.reset();  // its connection is gone, but it lives and writes
  drain();
  EXPECT_TRUE(events_of("recording.finished").empty());
  EXPECT_FALSE(std::filesystem::is_empty(in_folder("recordings/.open")));
}

TEST_F(ScribeTest, RepairsTheLogWhenAWriterDies) {
  auto gate = connect("gate");
  ASSERT_TRUE(gate->send(ipc::OpenEventLog{}));
  net::Packet packet = next(*gate);
  ASSERT_EQ(packet.descriptors.size(), 1U);
  write(packet.descriptors[0], "{\"time\":\"2026-11-21T2");
  gate.reset();
  drain();
  const auto all = events();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[1].at("event").as_string(), "error");
  EXPECT_EQ(all[1].at("where").as_string(), "scribe.repair");
}

TEST_F(ScribeTest, WhoeverAsksForSomethingElseIsCutOff) {
  auto warden = connect("warden");
  auto gate = connect("gate");
  const Writer writer = open_recording(*gate, 1);
  auto other = connect("gate"), third = connect("gate");
  ASSERT_TRUE(other->send(ipc::FinishRecording{writer.path}));  // another gate's
  ASSERT_TRUE(third->send(ipc::RecordingGrew{writer.path}));
  ASSERT_TRUE(warden->send(ipc::OpenRecording{kSession, 1, "", "", "192.0.2.1", 1}));
  ASSERT_TRUE(gate->send(ipc::Drain{}));
  drain();  // all four connections have ended, or this would take the whole grace
  std::vector<std::string> denied;
  for (const auto& event : events_of("ipc.denied")) {
    denied.emplace_back(event.at("request").as_string());
  }
  std::sort(denied.begin(), denied.end());
  EXPECT_EQ(denied, (std::vector<std::string>{"Drain", "FinishRecording", "OpenRecording",
                                              "RecordingGrew"}));
}

TEST_F(ScribeTest, SaysThatARoleCameBack) {
  auto gate = connect("gate");
  open_recording(*gate, 1);  // it is there
  gate.reset();
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (content(log_path()).find("recording.finished") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);  // until the scribe has seen it go
    std::this_thread::yield();
  }
  gate = connect("gate");
  const Writer again = open_recording(*gate, 2);
  gate.reset();
  drain();
  const auto said = events_of("role.restarted");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_EQ(said[0].at("role").as_string(), "gate");
}

// Every line of the whole log: moved, compressed and current.
std::vector<std::string> whole_log(const std::string& dir, std::string_view with) {
  std::vector<std::string> lines;
  auto reader = journal::Reader::open(dir);
  while (const auto line = reader->next()) {
    if (line->find(with) != std::string_view::npos) lines.emplace_back(*line);
  }
  EXPECT_TRUE(reader->problems().empty());
  return lines;
}

TEST_F(ScribeTest, RotatesUnderTheWritersHandsAndCompresses) {
  kill_scribe();
  settings_.logging.rotate_bytes = 1 << 16;
  start();
  auto gate = connect("gate");
  ASSERT_TRUE(gate->send(ipc::OpenEventLog{}));
  event::EventLog log("gate");
  log.attach(std::move(next(*gate).descriptors.at(0)));
  const auto write_lines = [&log](int from, int to) {
    for (int i = from; i < to; ++i) {
      static_cast<void>(log.emit({}, event::ClientVersion{"line " + std::to_string(i) + "."}));
    }
    ASSERT_TRUE(log.flush());
  };
  write_lines(0, 1000);
  net::Packet packet = next(*gate);  // it has moved the log, and hands out the new one
  ASSERT_TRUE(std::holds_alternative<ipc::EventLogOpened>(packet.message));
  write_lines(1000, 1100);  // into the old one still
  EXPECT_TRUE(whole_log(dir_, "log.rotated").empty()) << "it still has a writer";
  log.attach(std::move(packet.descriptors.at(0)));
  write_lines(1100, 1200);
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (content(log_path()).find("log.rotated") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  gate.reset();
  drain();
  const auto lines = whole_log(dir_, "client.version");
  ASSERT_EQ(lines.size(), 1200U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSERT_NE(lines[i].find("line " + std::to_string(i) + "."), std::string::npos) << lines[i];
  }
  const auto said = events_of("log.rotated");
  ASSERT_EQ(said.size(), 1U);
  EXPECT_TRUE(said[0].at("path").as_string().ends_with(".jsonl.gz"));
  EXPECT_TRUE(std::filesystem::exists(in_folder(std::string(said[0].at("path").as_string()))));
  EXPECT_LT(said[0].at("size").as_int64(), said[0].at("original_size").as_int64() / 5);
}

TEST_F(ScribeTest, ANewStartFinishesTheRotationOfAKilledOne) {
  kill_scribe();
  const std::string moved = in_folder("logs/events-20261121T000000.000000Z.jsonl");
  std::filesystem::rename(log_path(), moved);
  std::ofstream(moved, std::ios::app) << "{\"last\":1}\n{\"torn";
  start();
  drain();
  EXPECT_EQ(events_of("log.rotated").size(), 1U);
  EXPECT_EQ(whole_log(dir_, "{\"last\":1}").size(), 1U);
  EXPECT_FALSE(std::filesystem::exists(moved));
}

TEST_F(ScribeTest, OnADiskThatIsNearlyFullNothingNewIsRecordedUntilThereIsRoom) {
  kill_scribe();
  settings_.disk.min_free_bytes = 1ULL << 60;
  start();
  auto gate = connect("gate");
  ASSERT_TRUE(gate->send(ipc::OpenRecording{kSession, 0, "c", "ba9876543210", "192.0.2.1", 1}));
  const net::Packet packet = next(*gate);
  const auto* refused = std::get_if<ipc::RecordingRefused>(&packet.message);
  ASSERT_NE(refused, nullptr);
  EXPECT_NE(refused->reason.find("disk.min_free_bytes"), std::string::npos);
  // A reload with another limit; the next tick looks again.
  settings_.disk.min_free_bytes = 0;
  const std::string text = config::dump(settings_, config::Audience::kGate);
  base::Fd file(::memfd_create("settings", MFD_CLOEXEC));
  write(file, text);
  std::vector<base::Fd> descriptors;
  descriptors.push_back(std::move(file));
  ASSERT_TRUE(control_->send(ipc::Reload{}, std::move(descriptors)));
  const net::Packet done = next(*control_);
  const auto* result = std::get_if<ipc::ReloadResult>(&done.message);
  ASSERT_NE(result, nullptr);
  EXPECT_EQ(result->needs_restart, "");
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (content(log_path()).find("disk.enough") == std::string::npos) {
    ASSERT_LT(std::chrono::steady_clock::now(), end);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  open_recording(*gate, 1);
  gate.reset();
  drain();
  EXPECT_EQ(events_of("disk.low").size(), 1U);
}

TEST_F(ScribeTest, EndsWithItsSupervisor) {
  auto gate = connect("gate");
  control_.reset();
  gate.reset();
  int status = 0;
  ASSERT_EQ(::waitpid(child_, &status, 0), child_);
  child_ = -1;
  EXPECT_EQ(status, 0);
  EXPECT_EQ(events().back().at("reason").as_string(), "supervisor gone");
}

}  // namespace
}  // namespace sandtrap::scribe

#include "sandbox/oci_sandbox.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/task.h"
#include "sandbox/guest_login.h"
#include "sandbox/label.h"
#include "sandbox/loop_disk.h"
#include "sandbox/oci_bundle.h"
#include "sandbox/oci_process.h"

namespace sandtrap::sandbox {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::seconds kDeathLimit{10};  // processes in an uninterruptible call
constexpr std::chrono::seconds kDiskLimit{30};   // the last writes of a full disk
constexpr std::chrono::seconds kFreezeLimit{2};

std::string instance_of(const std::string& data_dir) {
  std::error_code error;
  const std::string path = fs::weakly_canonical(data_dir, error).string();
  std::uint32_t hash = 2166136261U;  // FNV-1a: only to keep two instances' control groups apart
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return fmt::format("{:08x}", hash);
}

std::string read_config(const std::string& bundle) {
  std::ifstream file(bundle + "/config.json", std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

struct Pipe {
  base::Fd read, write;
};

// Owned by the sandbox's root: `login` gives it to the user, who can then open /dev/stdout by name.
base::Result<Pipe> make_pipe(std::uint32_t owner) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return base::fail_errno("pipe", errno);
  Pipe out{base::Fd(ends[0]), base::Fd(ends[1])};
  if (::fchown(ends[0], owner, owner) != 0) return base::fail_errno("chown of a pipe", errno);
  return out;
}

Task<base::Result<std::unique_ptr<Process>>> exec_pipes(std::shared_ptr<OciShared> shared,
                                                        std::string id, std::string process) {
  const std::uint32_t owner = shared->options.userns_base;
  auto in = make_pipe(owner), out = make_pipe(owner), err = make_pipe(owner);
  for (const auto* one : {&in, &out, &err})
    if (!*one) co_return tl::unexpected(one->error());
  Streams3 streams{in->read.get(), out->write.get(), err->write.get()};
  auto child = co_await shared->runtime->exec(std::move(id), std::move(process), streams);
  if (!child) co_return tl::unexpected(child.error());
  Process::Streams ends;
  ends.input = std::move(in->write);
  ends.output = std::move(out->read);
  ends.error = std::move(err->read);
  co_return std::make_unique<OciProcess>(std::move(*child), std::move(ends), false);
}

Task<base::Result<std::unique_ptr<Process>>> exec_terminal(std::shared_ptr<OciShared> shared,
                                                           std::string id, std::string process,
                                                           Terminal terminal) {
  auto started = co_await shared->runtime->exec_terminal(std::move(id), std::move(process));
  if (!started) co_return tl::unexpected(started.error());
  auto& [child, master] = *started;
  // `login` sets it too; whoever comes first, nothing ever sees 0x0.
  if (auto sized = set_window_size(master.get(), terminal.columns, terminal.rows, terminal.width_px,
                                   terminal.height_px);
      !sized)
    shared->log.debug("sandbox: {}", sized.error().context);
  Process::Streams ends;
  ends.input = std::move(master);
  co_return std::make_unique<OciProcess>(std::move(child), std::move(ends), true);
}

}  // namespace

OciShared::OciShared(OciOptions o, boost::asio::io_context& io, base::Log& l)
    : options(std::move(o)),
      log(l),
      sandboxes(options.data_dir + "/sandboxes"),
      preserved(options.data_dir + "/preserved"),
      bundles(options.run_dir + "/oci/bundles"),
      state(options.run_dir + "/oci/state"),
      scratch(options.run_dir + "/oci/cmd"),
      cgroups("/st-" + instance_of(options.data_dir)),
      children(io) {}

std::string OciShared::template_disk(std::uint64_t bytes) const {
  return fmt::format("{}/template-{}-{}.ext4", sandboxes, bytes, options.userns_base);
}

bool valid_sandbox_id(std::string_view id) {
  return id.size() == 12 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

OciSandbox::OciSandbox(std::shared_ptr<OciShared> shared, std::string id,
                       std::shared_ptr<Child> init, base::Fd agent_socket)
    : shared_(std::move(shared)),
      id_(std::move(id)),
      config_(read_config(shared_->bundle(id_))),
      init_(std::move(init)) {
  if (agent_socket) attach_agent(std::move(agent_socket));
}

void OciSandbox::attach_agent(base::Fd socket) {
  had_agent_ = true;
  auto devices = find_devices(init_->pid());
  if (!devices) {
    shared_->log.warn("sandbox {}: no agent: {}", id_, devices.error().context);
    return;
  }
  agent_ = std::make_shared<Agent>(std::move(socket), std::move(*devices),
                                   shared_->options.agent_timeout);
}

// In a sandbox that an earlier warden left: the old one went with its socket. Tried once.
Task<void> OciSandbox::start_agent() {
  had_agent_ = true;
  auto socket = make_agent_socket();
  auto process = oci_exec_process(config_, {std::string(kGuestLogin), "agent"}, false);
  if (!socket || !process) co_return;
  const Streams3 streams{socket->theirs.get(), -1, -1};
  auto child = co_await shared_->runtime->exec(id_, std::move(*process), streams);
  if (child && init_) attach_agent(std::move(socket->ours));
}

base::Result<std::string> OciSandbox::process_for(const ProcessSpec& spec) const {
  auto argv = guest_login_arguments(spec);
  if (!argv) return tl::unexpected(argv.error());
  return oci_exec_process(config_, *argv, spec.terminal.has_value());
}

Task<base::Result<std::unique_ptr<Process>>> OciSandbox::exec(const ProcessSpec& spec) {
  if (!init_ || init_->result())
    co_return base::fail(base::Errc::kUnavailable, "the sandbox has ended");
  if (!had_agent_) co_await start_agent();
  if (const auto agent = agent_; agent && agent->usable()) {
    auto started = co_await agent->start(spec);
    if (started || !may_exec_instead(started.error())) co_return started;
    shared_->log.info("sandbox {}: {}; the engine starts the program", id_,
                      started.error().context);
  }
  co_return co_await exec_by_engine(spec);
}

Task<base::Result<std::unique_ptr<Process>>> OciSandbox::exec_by_engine(const ProcessSpec& spec) {
  auto process = process_for(spec);
  if (!process) co_return tl::unexpected(process.error());
  if (!init_ || init_->result())
    co_return base::fail(base::Errc::kUnavailable, "the sandbox has ended");
  shared_->children.sweep();
  if (spec.terminal)
    co_return co_await exec_terminal(shared_, id_, std::move(*process), *spec.terminal);
  co_return co_await exec_pipes(shared_, id_, std::move(*process));
}

Task<base::Status> OciSandbox::verify() {
  return verify_by_exec(*this, shared_->options.verify_timeout);
}

Task<base::Status> OciSandbox::mark_claimed(const Label& label) {
  const auto shared = shared_;
  co_return co_await shared->labels.write(shared->directory(id_), "label.json", label);
}

Task<base::Status> OciSandbox::freeze() {
  OciFreezer freezer = shared_->freezer(id_);
  co_return co_await freezer.freeze(kFreezeLimit);
}

Task<base::Status> OciSandbox::thaw() {
  co_return shared_->freezer(id_).thaw();
}

Task<base::Result<std::uint64_t>> OciSandbox::memory() {
  co_return shared_->freezer(id_).memory();
}

Task<base::Result<Preserved>> OciSandbox::preserve(const Label& label) {
  const auto init = std::move(init_);
  agent_.reset();  // it holds a file of the sandbox's /dev/pts
  co_return co_await preserve_container(shared_, id_, init, label);
}

Task<void> OciSandbox::destroy() {
  const auto init = std::move(init_);
  agent_.reset();  // it holds a file of the sandbox's /dev/pts
  co_await destroy_container(shared_, id_, init);
}

Task<void> stop_container(std::shared_ptr<OciShared> shared, std::string id,
                          std::shared_ptr<Child> init) {
  if (init && !init->result()) {
    // The end of its first process is the end of the pid namespace, and with it of every process.
    (void)init->signal(SIGKILL);
    // A frozen process (v1) takes no signal, and goes no further than this one once it is thawed.
    if (const OciFreezer freezer = shared->freezer(id); freezer.frozen()) (void)freezer.thaw();
    if (!co_await init->wait(kDeathLimit))
      shared->log.warn("sandbox {}: its processes do not end", id);
  }
  if (auto removed = co_await shared->runtime->remove(id); !removed)
    shared->log.warn("sandbox {}: {}", id, removed.error().context);
  // A runtime that was killed at its work may have started the container and not noted it.
  boost::asio::steady_timer pause(co_await boost::asio::this_coro::executor);
  const auto until = std::chrono::steady_clock::now() + kDeathLimit;
  while (end_cgroup(shared->cgroups + "/" + id) && std::chrono::steady_clock::now() < until) {
    pause.expires_after(std::chrono::milliseconds(10));
    co_await pause.async_wait(net::use_ec);
  }
  std::error_code error;
  fs::remove_all(shared->bundle(id), error);
  shared->children.sweep();
}

Task<void> destroy_container(std::shared_ptr<OciShared> shared, std::string id,
                             std::shared_ptr<Child> init) {
  co_await stop_container(shared, id, init);
  if (!co_await loop_released(shared->disk(id), kDiskLimit))
    shared->log.warn("sandbox {}: its disk is still in use", id);
  std::error_code error;
  fs::remove_all(shared->directory(id), error);
  if (error) shared->log.warn("sandbox {}: remove: {}", id, error.message());
}

Task<base::Result<Preserved>> preserve_container(std::shared_ptr<OciShared> shared, std::string id,
                                                 std::shared_ptr<Child> init, Label label) {
  co_await stop_container(shared, id, init);
  if (!co_await loop_released(shared->disk(id), kDiskLimit))
    shared->log.warn("sandbox {}: its disk is still in use; the copy may lack the last writes", id);
  const std::string target = shared->preserved + "/" + id;
  // The label first: a disk in this folder always has one.
  if (auto written = co_await shared->labels.write(target, "sandbox.json", label); !written)
    co_return base::wrap("preserve " + id, written.error());
  const std::string disk = target + "/disk.ext4";
  if (::rename(shared->disk(id).c_str(), disk.c_str()) != 0)
    co_return base::fail_errno("preserve " + id + ": move the disk", errno);
  std::error_code error;
  fs::remove_all(shared->directory(id), error);
  struct stat info {};
  Preserved out{target, 0};
  if (::stat(disk.c_str(), &info) == 0)
    out.bytes = static_cast<std::uint64_t>(info.st_blocks) * 512;
  co_return out;
}

}  // namespace sandtrap::sandbox

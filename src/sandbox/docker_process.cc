#include "sandbox/docker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>
#include <cerrno>

#include "net/task.h"
#include "sandbox/docker_ready.h"
#include "sandbox/docker_terminal.h"
#include "sandbox/guest_login.h"
#include "sandbox/pidfd.h"

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

constexpr std::chrono::seconds kInspectEvery{30};         // while events flow
constexpr std::chrono::milliseconds kInspectUnsure{250};  // while they do not
constexpr std::chrono::milliseconds kSecondHangUp{1000};
constexpr int kPidAttempts = 30;                   // about half a second
constexpr unsigned kSignalProcessGroup = 1U << 2;  // pidfd_send_signal(2), Linux 6.9

std::string inspect_path(const std::string& exec_id) {
  return "/exec/" + exec_id + "/json";
}

std::string exec_body(const std::vector<std::string>& argv, bool terminal, bool attach) {
  json::object body;
  body["AttachStdin"] = attach;
  body["AttachStdout"] = attach;
  body["AttachStderr"] = attach;
  body["Tty"] = terminal;
  body["User"] = "0:0";
  body["WorkingDir"] = "/";
  json::array command;
  for (const std::string& argument : argv) command.emplace_back(argument);
  body["Cmd"] = std::move(command);
  return json::serialize(body);
}

struct Handles {  // of a started process
  std::string exec_id;
  std::shared_ptr<DockerExits::Slot> slot;
  base::Fd stream, pidfd;
  pid_t host_pid = 0;
  int guest_pid = 0;
  std::optional<TerminalIdentity> terminal;
};

class DockerProcess final : public Process {
 public:
  DockerProcess(std::shared_ptr<DockerContext> context, DockerTarget target, ProcessSpec spec,
                Handles handles)
      : context_(std::move(context)),
        target_(std::move(target)),
        spec_(std::move(spec)),
        handles_(std::move(handles)) {}
  DockerProcess(const DockerProcess&) = delete;
  DockerProcess& operator=(const DockerProcess&) = delete;
  // Without visible pids only hang_up(), which may wait, can reach the process.
  ~DockerProcess() override {
    if (!ended_ && !hang_up_directly()) static_cast<void>(signal_directly(SIGHUP));
    context_->exits.forget(handles_.exec_id);
  }

  Streams take_streams() override {
    Streams streams;
    streams.input = std::move(handles_.stream);
    streams.multiplexed = !spec_.terminal;
    return streams;
  }

  // The API knows no pixel sizes.
  Task<base::Status> resize(std::uint32_t columns, std::uint32_t rows, std::uint32_t,
                            std::uint32_t) override {
    if (!spec_.terminal) co_return base::fail(base::Errc::kUnsupported, "resize: no terminal");
    const auto context = context_;
    std::string path = fmt::format("/exec/{}/resize?h={}&w={}", handles_.exec_id,
                                   std::min(rows, 65535U), std::min(columns, 65535U));
    auto response = co_await context->api.post(std::move(path), {}, DockerApi::kQuick);
    if (!response) co_return tl::unexpected(response.error());
    co_return base::Status{};
  }

  Task<base::Status> signal(int number) override {
    if (ended_) co_return base::fail(base::Errc::kNotFound, "the process has ended");
    if (handles_.pidfd) co_return signal_directly(number);
    co_return co_await signal_inside(number);
  }

  Task<ExitResult> wait() override {
    const auto context = context_;
    const auto slot = handles_.slot;
    while (!slot->code) {
      slot->changed.expires_after(
          context->exits.connected() ? std::chrono::milliseconds(kInspectEvery) : kInspectUnsure);
      co_await slot->changed.async_wait(net::use_ec);
      if (slot->code) break;
      auto state =
          co_await context->api.get_object(inspect_path(handles_.exec_id), DockerApi::kQuick);
      if (slot->code) break;
      if (!state) {
        if (state.error().code != base::Errc::kNotFound) continue;  // engine down: ask again
        ended_ = true;  // the engine was restarted and has forgotten it
        co_return ExitResult{};
      }
      const bool running = docker_number(*state, "Running") != 0;
      const json::value* code = state->if_contains("ExitCode");
      if (!running && code != nullptr && code->is_int64()) {
        slot->code = static_cast<int>(code->get_int64());
      }
    }
    ended_ = true;
    // The kernel's own word, where it gives it: Docker's number cannot tell signals from statuses.
    if (handles_.pidfd) {
      if (const auto exact = exit_of_foreign(handles_.pidfd)) co_return *exact;
    }
    co_return docker_exit_result(*slot->code, spec_);
  }

  // A process with a terminal runs on when its socket closes; one without finds its input closed,
  // but the engine would go on to read and drop what it writes: both are told.
  Task<void> hang_up() override {
    if (ended_ || hang_up_directly()) co_return;
    static_cast<void>(co_await signal(SIGHUP));
    static_cast<void>(co_await signal(SIGCONT));  // a stopped job must wake to die
    if (!spec_.terminal) co_return;
    // No terminal to close: a shell that was still starting has overheard it. It would read on.
    boost::asio::steady_timer pause(context_->executor, kSecondHangUp);
    co_await pause.async_wait(net::use_ec);
    if (!ended_) static_cast<void>(co_await signal(SIGHUP));
  }

 private:
  base::Status signal_directly(int number) const {
    if (!handles_.pidfd) return base::fail(base::Errc::kUnsupported, "its pid is not visible here");
    const long sent = ::syscall(SYS_pidfd_send_signal, handles_.pidfd.get(), number, nullptr,
                                kSignalProcessGroup);
    if (sent == 0) return {};
    if (errno != EINVAL) return base::fail_errno("pidfd_send_signal", errno);
    // An older kernel: the leader is alive at this moment, so its group is the one we mean.
    if (auto alive = send_signal(handles_.pidfd, 0); !alive) return alive;
    if (::kill(-handles_.host_pid, number) != 0) return base::fail_errno("kill", errno);
    return {};
  }

  bool hang_up_directly() const {
    return handles_.terminal && handles_.pidfd &&
           hang_up_terminal(handles_.host_pid, handles_.pidfd, *handles_.terminal).has_value();
  }

  Task<base::Status> signal_inside(int number) {
    const auto context = context_;
    std::vector<std::string> argv = {"/bin/kill", fmt::format("-{}", number), "--",
                                     fmt::format("-{}", handles_.guest_pid)};
    auto made = co_await context->api.post_object("/containers/" + target_.container + "/exec",
                                                  exec_body(argv, false, false), DockerApi::kQuick);
    if (!made) co_return tl::unexpected(made.error());
    std::string path = "/exec/" + docker_text(*made, "Id") + "/start";
    std::string body = "{\"Detach\":true,\"Tty\":false}";
    auto started = co_await context->api.post(std::move(path), std::move(body), DockerApi::kQuick);
    if (!started) co_return tl::unexpected(started.error());
    co_return base::Status{};
  }

  std::shared_ptr<DockerContext> context_;
  DockerTarget target_;
  ProcessSpec spec_;
  Handles handles_;
  bool ended_ = false;
};

// The engine learns the pid a moment after the process has run. 0: it did not within the patience.
Task<base::Result<pid_t>> host_pid_of(DockerContext& context, std::string exec_id) {
  boost::asio::steady_timer pause(context.executor);
  for (int attempt = 0; attempt < kPidAttempts; ++attempt) {
    auto state = co_await context.api.get_object(inspect_path(exec_id), DockerApi::kQuick);
    if (!state) co_return tl::unexpected(state.error());
    const auto pid = static_cast<pid_t>(docker_number(*state, "Pid"));
    if (pid > 0) co_return pid;
    pause.expires_after(std::chrono::milliseconds(1 + attempt));
    co_await pause.async_wait(net::use_ec);
  }
  co_return pid_t{0};
}

}  // namespace

ExitResult docker_exit_result(int code, const ProcessSpec& spec) {
  ExitResult result;
  result.kind = ExitResult::Kind::kStatus;
  result.value = code & 0xff;
  const int number = code - 128;
  // In a shell at a terminal 128+n is mostly the memory of a command that Ctrl-C ended; without one
  // mostly the shell itself, or the program it turned into, died of it.
  const bool deadly = number == SIGHUP || number == SIGKILL || number == SIGTERM;
  const bool fault = number == SIGABRT || number == SIGSEGV || number == SIGBUS ||
                     number == SIGFPE || number == SIGILL || number == SIGQUIT;
  if (deadly || (fault && !spec.terminal)) {
    result.kind = ExitResult::Kind::kSignal;
    result.value = number;
  }
  return result;
}

Task<base::Result<std::unique_ptr<Process>>> start_docker_process(
    std::shared_ptr<DockerContext> context, DockerTarget target, ProcessSpec spec) {
  auto argv = guest_login_arguments(spec);
  if (!argv) co_return base::wrap("docker exec", argv.error());
  argv->push_back("start=wait");
  const bool terminal = spec.terminal.has_value();
  auto made =
      co_await context->api.post_object("/containers/" + target.container + "/exec",
                                        exec_body(*argv, terminal, true), DockerApi::kQuick);
  if (!made) co_return tl::unexpected(made.error());

  Handles handles;
  handles.exec_id = docker_text(*made, "Id");
  handles.slot = context->exits.expect(handles.exec_id);
  std::string start = fmt::format("{{\"Detach\":false,\"Tty\":{}}}", terminal);
  auto hijacked = co_await context->api.hijack("/exec/" + handles.exec_id + "/start",
                                               std::move(start), context->options.exec_timeout);
  if (!hijacked) {
    context->exits.forget(handles.exec_id);
    co_return tl::unexpected(hijacked.error());
  }
  handles.stream = std::move(hijacked->stream);
  auto ready = co_await await_guest_ready(*context, handles.stream,
                                          std::move(hijacked->already_read), !terminal);
  if (!ready) {
    context->exits.forget(handles.exec_id);
    co_return tl::unexpected(ready.error());
  }
  handles.guest_pid = *ready;
  if (target.pids_visible) {
    // It waits for our answer, so the pid is still its own.
    auto pid = co_await host_pid_of(*context, handles.exec_id);
    if (!pid) co_return tl::unexpected(pid.error());
    handles.host_pid = *pid;
    if (handles.host_pid > 0) {
      if (auto pidfd = open_pidfd(handles.host_pid)) handles.pidfd = std::move(*pidfd);
      if (terminal) handles.terminal = terminal_of(handles.host_pid);
    }
  }
  const char go = 'g';
  if (::send(handles.stream.get(), &go, 1, MSG_NOSIGNAL) != 1) {
    co_return base::fail(base::Errc::kUnavailable, "docker: the exec stream broke");
  }
  co_return std::make_unique<DockerProcess>(std::move(context), std::move(target), std::move(spec),
                                            std::move(handles));
}

}  // namespace sandtrap::sandbox

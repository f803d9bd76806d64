#include "sandbox/oci_runtime.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <fstream>
#include <iterator>

namespace sandtrap::sandbox {
namespace json = boost::json;
namespace {

constexpr std::size_t kMaxFile = 64 * 1024;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string out(kMaxFile, '\0');
  file.read(out.data(), static_cast<std::streamsize>(out.size()));
  out.resize(static_cast<std::size_t>(file.gcount()));
  return out;
}

// The runtime's last message: one JSON object a line, with "msg".
std::string last_message(const std::string& log) {
  std::string message;
  for (std::size_t at = 0; at < log.size();) {
    const auto end = std::min(log.find('\n', at), log.size());
    boost::system::error_code error;
    const auto line = json::parse(json::string_view(log.data() + at, end - at), error);
    if (!error && line.is_object())
      if (const auto* text = line.get_object().if_contains("msg"); text && text->is_string())
        message = text->get_string().c_str();
    at = end + 1;
  }
  for (char& c : message)
    if (c == '\n') c = ' ';
  return message.empty() ? "no message" : message;
}

// Of a container in the runtime's words; 0 when it does not run.
pid_t running_pid(const json::object& container) {
  const json::value* status = container.if_contains("status");
  const json::value* pid = container.if_contains("pid");
  // "paused": frozen by whoever looked after it before us.
  const bool runs = status != nullptr && (*status == "running" || *status == "paused");
  if (!runs || pid == nullptr || !pid->is_int64()) return 0;
  return static_cast<pid_t>(pid->get_int64());
}

// Of a failed start: what the preparation said, else what the runtime said.
std::string reason(const base::Fd& report, const std::string& log) {
  char text[512];
  const ssize_t n = ::pread(report.get(), text, sizeof(text), 0);
  if (n > 0) return std::string(text, static_cast<std::size_t>(n));
  return last_message(read_file(log));
}

std::string how(const ExitResult& exit) {
  const char* what = exit.kind == ExitResult::Kind::kSignal ? " (signal " : " (exit status ";
  return what + std::to_string(exit.value) + ")";
}

// /dev/null as seen through a read-only mount: it swallows writes, but nobody can change its owner
// or mode. crun (up to at least 1.8) gives the standard streams to the container's root, which then
// could take the whole machine's /dev/null away (chmod of /proc/1/fd/0 or of its own /dev/null).
base::Result<base::Fd> open_safe_null() {
  const base::Fd view(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, "/dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)));
  mount_attr attributes{};
  attributes.attr_set = MOUNT_ATTR_RDONLY;
  if (!view || ::syscall(SYS_mount_setattr, view.get(), "", AT_EMPTY_PATH, &attributes,
                         sizeof(attributes)) != 0)
    return base::fail_errno("a read-only view of /dev/null (needs Linux 5.12)", errno);
  const std::string path = "/proc/self/fd/" + std::to_string(view.get());
  base::Fd null(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!null) return base::fail_errno("open /dev/null", errno);
  return null;
}

base::Result<base::Fd> listen_on(const std::string& path) {
  base::Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path))
    return base::fail(base::Errc::kInvalid, "console socket: run_dir is too long a path");
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (!socket ||
      ::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(socket.get(), 1) != 0)
    return base::fail_errno("console socket", errno);
  return socket;
}

// The runtime has ended successfully, so the connection and its message are waiting already.
base::Result<base::Fd> receive_master(const base::Fd& listener) {
  const base::Fd peer(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!peer) return base::fail_errno("console socket: accept", errno);
  char name[256];
  iovec part{name, sizeof(name)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (::recvmsg(peer.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) < 0)
    return base::fail_errno("console socket: receive", errno);
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS ||
      header->cmsg_len != CMSG_LEN(sizeof(int)))
    return base::fail(base::Errc::kIo, "console socket: no terminal came");
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return base::Fd(fd);
}

}  // namespace

// One command: its words, and the files that it works with; they vanish with it.
struct OciRuntime::Command {
  std::vector<std::string> argv;
  std::string log, pid_file, process, socket;
  Command() = default;
  Command(Command&&) = default;
  Command& operator=(Command&&) = default;
  ~Command() {
    for (const std::string* path : {&log, &pid_file, &process, &socket})
      if (!path->empty()) ::unlink(path->c_str());
  }
};

OciRuntime::OciRuntime(Children& children, RuntimeOptions options)
    : children_(children), options_(std::move(options)) {}

OciRuntime::Command OciRuntime::command(std::initializer_list<std::string_view> words) {
  Command out;
  const std::string stem = options_.scratch + "/" + std::to_string(next_++);
  out.log = stem + ".log";
  out.pid_file = stem + ".pid";
  out.process = stem + ".json";
  out.socket = stem + ".sock";
  out.argv = {options_.program, "--root", options_.state_dir, "--log", out.log,
              "--log-format",   "json"};
  for (const auto word : words) out.argv.emplace_back(word);
  return out;
}

Task<base::Result<std::shared_ptr<Child>>> OciRuntime::launch(const Command& command,
                                                              SpawnRequest request) {
  request.argv = command.argv;
  if (!null_) {
    auto opened = open_safe_null();
    if (!opened) co_return tl::unexpected(opened.error());
    null_ = std::move(*opened);
  }
  for (int* stream : {&request.in, &request.out, &request.err})
    if (*stream < 0) *stream = null_.get();
  if (request.preparation == nullptr && options_.hide_unified) request.preparation = &hide_unified_;
  // Not inherited by the program, unlike its standard error.
  const base::Fd report(::memfd_create("report", MFD_CLOEXEC));
  request.report = report.get();
  auto runtime = children_.spawn(request);
  if (!runtime) co_return tl::unexpected(runtime.error());
  if (!co_await (*runtime)->wait(options_.limit)) {
    (void)(*runtime)->signal_group(SIGKILL);  // may have ended meanwhile
    co_return base::fail(base::Errc::kTimeout, "the runtime took too long");
  }
  const ExitResult exit = *(*runtime)->result();
  if (exit.kind != ExitResult::Kind::kStatus || exit.value != 0)
    co_return base::fail(base::Errc::kUnavailable, reason(report, command.log) + how(exit));
  const std::string digits = read_file(command.pid_file);
  pid_t pid = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), pid);
  if (pid <= 0) co_return base::fail(base::Errc::kIo, "the runtime wrote no pid");
  co_return children_.adopt(pid);
}

Task<base::Result<std::string>> OciRuntime::version() {
  SpawnRequest request;
  request.argv = {options_.program, "--version"};
  auto done = co_await children_.run(std::move(request), options_.limit);
  if (!done) co_return tl::unexpected(done.error());
  if (!done->ok()) co_return base::fail(base::Errc::kUnsupported, options_.program + " --version");
  co_return done->output.substr(0, done->output.find('\n'));
}

Task<base::Result<std::shared_ptr<Child>>> OciRuntime::start(std::string id, std::string bundle,
                                                             const Preparation& preparation,
                                                             int in) {
  Command run = command({"run", "--detach", "--bundle", bundle});
  run.argv.insert(run.argv.end(), {"--pid-file", run.pid_file, id});
  SpawnRequest request;
  request.preparation = &preparation;
  request.in = in;
  co_return co_await launch(run, std::move(request));
}

base::Result<OciRuntime::Command> OciRuntime::exec_command(const std::string& id,
                                                           const std::string& process,
                                                           bool terminal) {
  Command exec = command({"exec", "--detach"});
  std::ofstream file(exec.process, std::ios::binary | std::ios::trunc);
  file << process;
  file.close();
  if (!file) return base::fail(base::Errc::kIo, "write " + exec.process);
  exec.argv.insert(exec.argv.end(), {"--pid-file", exec.pid_file, "--process", exec.process});
  if (terminal) exec.argv.insert(exec.argv.end(), {"--console-socket", exec.socket});
  exec.argv.push_back(id);
  return exec;
}

Task<base::Result<std::shared_ptr<Child>>> OciRuntime::exec(std::string id, std::string process,
                                                            Streams3 streams) {
  auto exec = exec_command(id, process, false);
  if (!exec) co_return tl::unexpected(exec.error());
  SpawnRequest spawn;
  spawn.in = streams.in;
  spawn.out = streams.out;
  spawn.err = streams.err;
  co_return co_await launch(*exec, std::move(spawn));
}

Task<base::Result<std::pair<std::shared_ptr<Child>, base::Fd>>> OciRuntime::exec_terminal(
    std::string id, std::string process) {
  auto exec = exec_command(id, process, true);
  if (!exec) co_return tl::unexpected(exec.error());
  auto listener = listen_on(exec->socket);
  if (!listener) co_return tl::unexpected(listener.error());
  SpawnRequest spawn;
  auto child = co_await launch(*exec, std::move(spawn));
  if (!child) co_return tl::unexpected(child.error());
  auto master = receive_master(*listener);
  if (!master) {
    (void)(*child)->signal_group(SIGKILL);  // without its terminal it is of no use
    co_return tl::unexpected(master.error());
  }
  co_return std::make_pair(std::move(*child), std::move(*master));
}

Task<base::Status> OciRuntime::remove(std::string id) {
  SpawnRequest request;
  Command remove = command({"delete", "--force", id});
  request.argv = remove.argv;
  if (options_.hide_unified) request.preparation = &hide_unified_;
  auto done = co_await children_.run(std::move(request), options_.limit);
  if (!done) co_return tl::unexpected(done.error());
  if (!done->ok()) {
    const std::string message = last_message(read_file(remove.log));
    if (message.find("does not exist") == std::string::npos)
      co_return base::fail(base::Errc::kIo, "delete: " + message);
  }
  co_return base::Status{};
}

Task<base::Result<pid_t>> OciRuntime::running(std::string id) {
  SpawnRequest request;
  const Command state = command({"state", id});
  request.argv = state.argv;
  if (options_.hide_unified) request.preparation = &hide_unified_;
  auto done = co_await children_.run(std::move(request), options_.limit);
  if (!done) co_return tl::unexpected(done.error());
  boost::system::error_code error;
  const json::value value = json::parse(done->output, error);
  if (!done->ok() || error || !value.is_object())
    co_return base::fail(base::Errc::kNotFound, "no such container");
  const pid_t pid = running_pid(value.get_object());
  if (pid == 0) co_return base::fail(base::Errc::kNotFound, "not running");
  co_return pid;
}

Task<base::Result<std::map<std::string, pid_t>>> OciRuntime::list() {
  SpawnRequest request;
  const Command list = command({"list", "--format", "json"});
  request.argv = list.argv;
  if (options_.hide_unified) request.preparation = &hide_unified_;
  auto done = co_await children_.run(std::move(request), options_.limit);
  if (!done) co_return tl::unexpected(done.error());
  boost::system::error_code error;
  const json::value value = json::parse(done->output, error);
  if (!done->ok() || error || !(value.is_array() || value.is_null()))
    co_return base::fail(base::Errc::kIo, "list: " + last_message(read_file(list.log)));
  std::map<std::string, pid_t> out;
  if (value.is_null()) co_return out;  // there are none
  for (const json::value& one : value.get_array())
    if (one.is_object())
      if (const auto* id = one.get_object().if_contains("id"); id != nullptr && id->is_string())
        out.emplace(id->get_string(), running_pid(one.get_object()));
  co_return out;
}

}  // namespace sandtrap::sandbox

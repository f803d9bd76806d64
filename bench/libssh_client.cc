// Load from outside. Usage: libssh_client MODE HOST PORT COUNT PARALLEL
//   fail   COUNT connections, one wrong password each, PARALLEL at a time
//   hold   COUNT connections, key exchange done, held until stdin ends
//   prompt for each line of stdin one connection from the address on it, and a shell with a
//   terminal:
//          microseconds from authentication, and from the shell's request, to its first byte
#include <libssh/libssh.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

namespace {

struct Target {
  const char* host;
  int port;
};

ssh_session connect_to(const Target& target, const char* source = nullptr) {
  ssh_session session = ssh_new();
  const int off = 0;
  const long timeout = 30;
  ssh_options_set(session, SSH_OPTIONS_HOST, target.host);
  ssh_options_set(session, SSH_OPTIONS_PORT, &target.port);
  ssh_options_set(session, SSH_OPTIONS_USER, "root");
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
  ssh_options_set(session, SSH_OPTIONS_TIMEOUT, &timeout);
  ssh_options_set(session, SSH_OPTIONS_KEY_EXCHANGE, "curve25519-sha256");
  ssh_options_set(session, SSH_OPTIONS_HOSTKEYS, "ssh-ed25519");
  ssh_options_set(session, SSH_OPTIONS_CIPHERS_C_S, "aes128-ctr");
  ssh_options_set(session, SSH_OPTIONS_CIPHERS_S_C, "aes128-ctr");
  if (source != nullptr) ssh_options_set(session, SSH_OPTIONS_BINDADDR, source);
  if (ssh_connect(session) == SSH_OK) return session;
  std::fprintf(stderr, "connect: %s\n", ssh_get_error(session));
  ssh_free(session);
  return nullptr;
}

int fail(const Target& target, int count, int parallel) {
  std::atomic<int> next{0}, good{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < parallel; ++t) {
    threads.emplace_back([&] {
      while (next.fetch_add(1) < count) {
        ssh_session session = connect_to(target);
        if (session == nullptr) continue;
        if (ssh_userauth_password(session, nullptr, "not-this-one") == SSH_AUTH_DENIED) ++good;
        ssh_disconnect(session);
        ssh_free(session);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("%d of %d refused\n", good.load(), count);
  return good == count ? 0 : 1;
}

int hold(const Target& target, int count) {
  std::vector<ssh_session> sessions;
  for (int i = 0; i < count; ++i) {
    if (ssh_session session = connect_to(target)) sessions.push_back(session);
  }
  std::printf("%zu held\n", sessions.size());
  std::fflush(stdout);
  while (std::getchar() != EOF) {
  }
  for (ssh_session session : sessions) {
    ssh_disconnect(session);
    ssh_free(session);
  }
  return sessions.size() == static_cast<std::size_t>(count) ? 0 : 1;
}

using Clock = std::chrono::steady_clock;

long microseconds_since(Clock::time_point began) {
  return static_cast<long>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - began).count());
}

bool one_prompt(const Target& target, const char* source) {
  ssh_session session = connect_to(target, source);
  if (session == nullptr) return false;
  bool good = ssh_userauth_password(session, nullptr, "letmein") == SSH_AUTH_SUCCESS;
  const auto accepted = Clock::now();
  ssh_channel channel = ssh_channel_new(session);
  good = good && ssh_channel_open_session(channel) == SSH_OK &&
         ssh_channel_request_pty_size(channel, "xterm", 80, 24) == SSH_OK;
  const auto asked = Clock::now();
  char byte = 0;
  good = good && ssh_channel_request_shell(channel) == SSH_OK &&
         ssh_channel_read(channel, &byte, 1, 0) == 1;
  if (good)
    std::printf("%ld %ld\n", microseconds_since(accepted), microseconds_since(asked));
  else
    std::fprintf(stderr, "shell: %s\n", ssh_get_error(session));
  std::fflush(stdout);
  ssh_channel_free(channel);
  ssh_disconnect(session);
  ssh_free(session);
  return good;
}

int prompt(const Target& target) {
  char source[64];
  while (std::scanf("%63s", source) == 1)
    if (!one_prompt(target, source)) return 1;
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  const Target target{argv[2], std::atoi(argv[3])};
  const int count = std::atoi(argv[4]);
  if (std::strcmp(argv[1], "fail") == 0) return fail(target, count, std::atoi(argv[5]));
  if (std::strcmp(argv[1], "hold") == 0) return hold(target, count);
  if (std::strcmp(argv[1], "prompt") == 0) return prompt(target);
  return 2;
}

// The peer for CPU per connection: libssh's server API, one thread per connection, refusing every
// password at once. Usage: libssh_server PORT HOST_KEY_FILE. Ends on SIGTERM.
#include <libssh/libssh.h>
#include <libssh/server.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace {

void serve(ssh_session session) {
  ssh_set_auth_methods(session, SSH_AUTH_METHOD_PASSWORD);
  if (ssh_handle_key_exchange(session) == SSH_OK) {
    while (ssh_message message = ssh_message_get(session)) {
      const int type = ssh_message_type(message);
      if (type == SSH_REQUEST_SERVICE) {
        ssh_message_service_reply_success(message);
      } else {
        if (type == SSH_REQUEST_AUTH) {
          ssh_message_auth_set_methods(message, SSH_AUTH_METHOD_PASSWORD);
        }
        ssh_message_reply_default(message);
      }
      ssh_message_free(message);
    }
  }
  ssh_disconnect(session);
  ssh_free(session);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  std::signal(SIGTERM, [](int) { std::_Exit(0); });
  ssh_bind bind = ssh_bind_new();
  const int port = std::atoi(argv[1]);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDADDR, "127.0.0.1");
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_BINDPORT, &port);
  ssh_bind_options_set(bind, SSH_BIND_OPTIONS_HOSTKEY, argv[2]);
  if (ssh_bind_listen(bind) != SSH_OK) {
    std::fprintf(stderr, "%s\n", ssh_get_error(bind));
    return 1;
  }
  std::puts("listening");
  std::fflush(stdout);
  for (;;) {
    ssh_session session = ssh_new();
    if (ssh_bind_accept(bind, session) != SSH_OK) {
      ssh_free(session);
      continue;
    }
    std::thread(serve, session).detach();
  }
}

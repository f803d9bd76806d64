/* libssh as a client. Usage: libssh_client PORT USER SECRET [NAME=VALUE …] MODE ARGUMENT …
 *   SECRET  a password, or key:FILE
 *   NAME    kex, hostkey, cipher, mac, compression
 *   MODE    exec COMMAND | pty COMMAND | forward PORT | sftp LOCAL REMOTE BACK */
#include <fcntl.h>
#include <libssh/libssh.h>
#include <libssh/sftp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int failed(ssh_session session, const char* what) {
  fprintf(stderr, "%s: %s\n", what, ssh_get_error(session));
  return 255;
}

static int set_algorithm(ssh_session session, const char* word) {
  static const struct {
    const char* name;
    enum ssh_options_e one, other;
  } known[] = {{"kex=", SSH_OPTIONS_KEY_EXCHANGE, SSH_OPTIONS_KEY_EXCHANGE},
               {"hostkey=", SSH_OPTIONS_HOSTKEYS, SSH_OPTIONS_HOSTKEYS},
               {"cipher=", SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C},
               {"mac=", SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C},
               {"compression=", SSH_OPTIONS_COMPRESSION_C_S, SSH_OPTIONS_COMPRESSION_S_C}};
  for (size_t i = 0; i < sizeof known / sizeof *known; ++i) {
    const size_t size = strlen(known[i].name);
    if (strncmp(word, known[i].name, size) != 0) continue;
    return ssh_options_set(session, known[i].one, word + size) == SSH_OK &&
           ssh_options_set(session, known[i].other, word + size) == SSH_OK;
  }
  return 0;
}

static int login(ssh_session session, const char* secret) {
  if (strncmp(secret, "key:", 4) != 0) return ssh_userauth_password(session, NULL, secret);
  ssh_key key = NULL;
  if (ssh_pki_import_privkey_file(secret + 4, NULL, NULL, NULL, &key) != SSH_OK) return SSH_AUTH_ERROR;
  const int result = ssh_userauth_publickey(session, NULL, key);
  ssh_key_free(key);
  return result;
}

static int copy(ssh_channel channel, int error, FILE* out) {
  static char buffer[32768];
  int n = 0;
  while ((n = ssh_channel_read_nonblocking(channel, buffer, sizeof buffer, error)) > 0) fwrite(buffer, 1, (size_t)n, out);
  return n;
}

static int run(ssh_session session, const char* command, int pty) {
  static char buffer[32768];
  ssh_channel channel = ssh_channel_new(session);
  if (ssh_channel_open_session(channel) != SSH_OK) return failed(session, "session");
  if (pty && ssh_channel_request_pty_size(channel, "xterm", 100, 30) != SSH_OK) return failed(session, "pty");
  if (ssh_channel_request_exec(channel, command) != SSH_OK) return failed(session, "exec");
  ssize_t n = 0;
  while (!pty && (n = read(0, buffer, sizeof buffer)) > 0) {
    if (ssh_channel_write(channel, buffer, (uint32_t)n) != n) return failed(session, "write");
    copy(channel, 0, stdout);
    copy(channel, 1, stderr);
  }
  if (!pty) ssh_channel_send_eof(channel);
  while (ssh_channel_is_open(channel) && !ssh_channel_is_eof(channel)) {
    if (ssh_channel_poll_timeout(channel, 100, 0) == SSH_ERROR) return failed(session, "read");
    copy(channel, 0, stdout);
    copy(channel, 1, stderr);
  }
  copy(channel, 0, stdout);
  copy(channel, 1, stderr);
  const int status = ssh_channel_get_exit_status(channel);
  ssh_channel_free(channel);
  return status;
}

static int forward(ssh_session session, int port) {
  ssh_channel channel = ssh_channel_new(session);
  if (ssh_channel_open_forward(channel, "127.0.0.1", port, "127.0.0.1", 1) != SSH_OK) return failed(session, "forward");
  return 0;
}

static int transfer(ssh_session session, char** names) {
  static char buffer[16384];
  sftp_session sftp = sftp_new(session);
  if (sftp == NULL || sftp_init(sftp) != SSH_OK) return failed(session, "sftp");
  sftp_file there = sftp_open(sftp, names[1], O_WRONLY | O_CREAT | O_TRUNC, 0640);
  FILE* here = fopen(names[0], "rb");
  size_t n = 0;
  while ((n = fread(buffer, 1, sizeof buffer, here)) > 0) {
    if (sftp_write(there, buffer, n) != (ssize_t)n) return failed(session, "write");
  }
  fclose(here);
  sftp_close(there);
  sftp_attributes status = sftp_stat(sftp, names[1]);
  printf("%llu %o\n", (unsigned long long)status->size, status->permissions);
  sftp_attributes_free(status);
  there = sftp_open(sftp, names[1], O_RDONLY, 0);
  here = fopen(names[2], "wb");
  ssize_t got = 0;
  while ((got = sftp_read(there, buffer, sizeof buffer)) > 0) fwrite(buffer, 1, (size_t)got, here);
  fclose(here);
  sftp_close(there);
  sftp_unlink(sftp, names[1]);
  if (sftp_stat(sftp, names[1]) == NULL) printf("missing: %d %s\n", sftp_get_error(sftp), ssh_get_error(session));
  sftp_free(sftp);
  return 0;
}

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  const int port = atoi(argv[1]), off = 0;
  ssh_session session = ssh_new();
  ssh_options_set(session, SSH_OPTIONS_HOST, "127.0.0.1");
  ssh_options_set(session, SSH_OPTIONS_PORT, &port);
  ssh_options_set(session, SSH_OPTIONS_USER, argv[2]);
  ssh_options_set(session, SSH_OPTIONS_PROCESS_CONFIG, &off);
  char** word = argv + 4;
  while (strchr(*word, '=') != NULL) {
    if (!set_algorithm(session, *word++)) return failed(session, "option");
  }
  if (ssh_connect(session) != SSH_OK) return failed(session, "connect");
  const int answer = login(session, argv[3]);
  if (answer != SSH_AUTH_SUCCESS) {
    fprintf(stderr, "login: %d, methods %d\n", answer, ssh_userauth_list(session, NULL));
    return failed(session, "login");
  }
  int status = 2;
  if (strcmp(word[0], "exec") == 0) status = run(session, word[1], 0);
  if (strcmp(word[0], "pty") == 0) status = run(session, word[1], 1);
  if (strcmp(word[0], "forward") == 0) status = forward(session, atoi(word[1]));
  if (strcmp(word[0], "sftp") == 0) status = transfer(session, word + 1);
  ssh_disconnect(session);
  ssh_free(session);
  return status;
}

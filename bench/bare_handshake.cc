// The floor for CPU per connection: what any server must pay for one refused password, with
// OpenSSL called as directly as it can be. Usage: bare_handshake COUNT
//   primitives  keygen, derive, sign, exchange hash, six keys, two ciphers and MACs; no packets
//   packets     the same with a bare server that answers fixed bytes over loopback TCP: as many
//               reads and writes as one refused password takes, packets encrypted, nothing parsed,
//               nothing logged, one blocking thread
// Prints "primitives MICROSECONDS" and "packets MICROSECONDS" of the server's own CPU.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <span>
#include <vector>

namespace {

using Buffer = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;
using Block = std::array<std::uint8_t, 32>;

void check(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::exit(1);
}

// Sizes of one refused password between this project's server and an OpenSSH-like client.
constexpr std::size_t kServerInit = 1080, kClientInit = 1400, kReply = 360, kHashed = 2800;

// One direction: AES-128-CTR with HMAC-SHA2-256, encrypt-then-MAC.
class Direction {
 public:
  Direction(const EVP_CIPHER* cipher, const EVP_MAC_CTX* mac, const Block& key, const Block& iv)
      : cipher_(EVP_CIPHER_CTX_new()), mac_(EVP_MAC_CTX_dup(mac)) {
    check(EVP_EncryptInit_ex2(cipher_, cipher, key.data(), iv.data(), nullptr) == 1, "cipher");
    check(EVP_MAC_init(mac_, key.data(), key.size(), nullptr) == 1, "mac");
  }
  ~Direction() {
    EVP_CIPHER_CTX_free(cipher_);
    EVP_MAC_CTX_free(mac_);
  }
  Direction(const Direction&) = delete;
  Direction& operator=(const Direction&) = delete;

  void protect(std::span<std::uint8_t> packet) {
    int n = 0;
    std::size_t size = 0;
    Block tag;
    EVP_EncryptUpdate(cipher_, packet.data(), &n, packet.data(), static_cast<int>(packet.size()));
    EVP_MAC_init(mac_, nullptr, 0, nullptr);
    EVP_MAC_update(mac_, packet.data(), packet.size());
    check(EVP_MAC_final(mac_, tag.data(), &size, tag.size()) == 1, "tag");
  }

 private:
  EVP_CIPHER_CTX* cipher_;
  EVP_MAC_CTX* mac_;
};

// Everything that can be prepared once is.
class Handshake {
 public:
  Handshake()
      : host_key_(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")),
        peer_(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519")),
        generator_(EVP_PKEY_CTX_new_from_name(nullptr, "X25519", nullptr)),
        signer_(EVP_MD_CTX_new()),
        hash_(EVP_MD_CTX_new()),
        sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)),
        cipher_(EVP_CIPHER_fetch(nullptr, "AES-128-CTR", nullptr)) {
    check(EVP_PKEY_keygen_init(generator_) == 1, "keygen");
    check(EVP_DigestSignInit(signer_, nullptr, nullptr, nullptr, host_key_) == 1, "sign");
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    mac_ = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    check(EVP_MAC_CTX_set_params(mac_, parameters) == 1, "mac");
  }
  ~Handshake() {
    EVP_PKEY_free(host_key_);
    EVP_PKEY_free(peer_);
    EVP_PKEY_CTX_free(generator_);
    EVP_MD_CTX_free(signer_);
    EVP_MD_CTX_free(hash_);
    EVP_MD_free(sha256_);
    EVP_CIPHER_free(cipher_);
    EVP_MAC_CTX_free(mac_);
  }
  Handshake(const Handshake&) = delete;
  Handshake& operator=(const Handshake&) = delete;

  struct Keys {
    std::array<Block, 6> blocks;
  };

  Keys agree() {
    EVP_PKEY* ours = nullptr;
    check(EVP_PKEY_generate(generator_, &ours) == 1, "generate");
    EVP_PKEY_CTX* derive = EVP_PKEY_CTX_new_from_pkey(nullptr, ours, nullptr);
    Block secret;
    std::size_t n = secret.size();
    check(EVP_PKEY_derive_init(derive) == 1 && EVP_PKEY_derive_set_peer_ex(derive, peer_, 0) == 1 &&
              EVP_PKEY_derive(derive, secret.data(), &n) == 1,
          "derive");
    EVP_PKEY_CTX_free(derive);
    EVP_PKEY_free(ours);
    const Block exchange = digest(transcript_, secret);
    std::array<std::uint8_t, 64> signature;
    n = signature.size();
    check(EVP_DigestSign(signer_, signature.data(), &n, exchange.data(), exchange.size()) == 1,
          "sign");
    Keys keys;
    for (Block& block : keys.blocks) block = digest(exchange, secret);
    return keys;
  }
  Direction direction(const Block& key, const Block& iv) { return {cipher_, mac_, key, iv}; }

 private:
  Block digest(View a, View b) {
    Block out;
    EVP_DigestInit_ex2(hash_, sha256_, nullptr);
    EVP_DigestUpdate(hash_, a.data(), a.size());
    EVP_DigestUpdate(hash_, b.data(), b.size());
    check(EVP_DigestFinal_ex(hash_, out.data(), nullptr) == 1, "digest");
    return out;
  }

  EVP_PKEY *host_key_, *peer_;
  EVP_PKEY_CTX* generator_;
  EVP_MD_CTX *signer_, *hash_;
  EVP_MD* sha256_;
  EVP_CIPHER* cipher_;
  EVP_MAC_CTX* mac_ = nullptr;
  Buffer transcript_ = Buffer(kHashed);
};

double cpu_microseconds() {
  timespec t{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

void exchange_keys_only(Handshake& handshake) {
  const Handshake::Keys keys = handshake.agree();
  Direction in = handshake.direction(keys.blocks[0], keys.blocks[1]);
  Direction out = handshake.direction(keys.blocks[2], keys.blocks[3]);
}

void send_all(int fd, View bytes) {
  check(::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()),
        "send");
}

// A flight as a whole: two of them may wait in the socket together.
std::span<std::uint8_t> receive(int fd, std::span<std::uint8_t> space, std::size_t size) {
  const ssize_t n = ::recv(fd, space.data(), size, MSG_WAITALL);
  check(n == static_cast<ssize_t>(size), "recv");
  return space.first(size);
}

// The flights of both sides; before those of its own where one is named, the client waits for the
// server's.
constexpr std::size_t kBanner = 41, kAccept = 64, kFailure = 80;
constexpr std::size_t kClientFlights[] = {22, kClientInit, 48, 16, 64, 112, 64};
constexpr std::size_t kWaitBefore[] = {kBanner, kServerInit, 0, kReply, 0, kAccept, kFailure};

void serve(Handshake& handshake, int fd) {
  Buffer space(4096), out(kServerInit);
  send_all(fd, View(out).first(kBanner));
  receive(fd, space, kClientFlights[0]);
  send_all(fd, View(out).first(kServerInit));
  receive(fd, space, kClientFlights[1]);  // KEXINIT
  receive(fd, space, kClientFlights[2]);  // ECDH_INIT
  const Handshake::Keys keys = handshake.agree();
  Direction in = handshake.direction(keys.blocks[0], keys.blocks[1]);
  Direction protect = handshake.direction(keys.blocks[2], keys.blocks[3]);
  protect.protect(std::span(out).first(180));  // EXT_INFO beside reply and NEWKEYS
  send_all(fd, View(out).first(kReply));
  receive(fd, space, kClientFlights[3]);              // NEWKEYS
  in.protect(receive(fd, space, kClientFlights[4]));  // SERVICE_REQUEST
  protect.protect(std::span(out).first(kAccept));
  send_all(fd, View(out).first(kAccept));
  in.protect(receive(fd, space, kClientFlights[5]));  // the password
  protect.protect(std::span(out).first(kFailure));
  send_all(fd, View(out).first(kFailure));
  in.protect(receive(fd, space, kClientFlights[6]));  // DISCONNECT
  check(::recv(fd, space.data(), space.size(), 0) == 0, "the end");
  ::close(fd);
}

// Two of the client's flights follow another of its own.
void send_at_once(int fd) {
  const int on = 1;
  check(::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0, "TCP_NODELAY");
}

void drive(const sockaddr_in& address, int count) {
  Buffer out(kClientInit), space(4096);
  for (int i = 0; i < count; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0,
          "connect");
    send_at_once(fd);
    for (std::size_t flight = 0; flight < std::size(kClientFlights); ++flight) {
      if (kWaitBefore[flight] > 0) receive(fd, space, kWaitBefore[flight]);
      send_all(fd, View(out).first(kClientFlights[flight]));
      ::usleep(50);  // a real client computes here: its flights arrive one by one
    }
    ::close(fd);
  }
}

double packets(Handshake& handshake, int count) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  check(::bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
            ::listen(listener, 64) == 0 &&
            ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0,
        "listen");
  const pid_t client = ::fork();
  check(client >= 0, "fork");
  if (client == 0) {
    drive(address, count);
    std::_Exit(0);
  }
  const double before = cpu_microseconds();
  for (int i = 0; i < count; ++i) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    check(fd >= 0, "accept");
    serve(handshake, fd);
  }
  const double used = cpu_microseconds() - before;
  ::close(listener);
  int status = 0;
  ::waitpid(client, &status, 0);
  check(status == 0, "client");
  return used / count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const int count = std::atoi(argv[1]);
  if (count < 1) return 2;
  Handshake handshake;
  for (int i = 0; i < 50; ++i) exchange_keys_only(handshake);
  const double before = cpu_microseconds();
  for (int i = 0; i < count; ++i) exchange_keys_only(handshake);
  std::printf("primitives %.1f\n", (cpu_microseconds() - before) / count);
  std::printf("packets %.1f\n", packets(handshake, count));
  return 0;
}

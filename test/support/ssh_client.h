// A scriptable SSH client, sans I/O, built from the server's own packet and key exchange parts with
// the roles swapped. It completes handshakes by itself and leaves everything else to the test:
//
//   SshClient client(options, entropy);
//   client.receive(bytes_from_server);  write(client.pending_output());  client.consumed(n);
//   while (auto p = client.next_payload()) …          // what is not key exchange
//   client.send(payload);                             // held back until the keys are there
//
// For tests, fuzzers and benches. It trusts nobody but checks the host key signature.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/entropy.h"
#include "ssh/kex_init.h"

namespace sandtrap::test {

using base::Bytes;
using base::ByteView;

struct ClientOptions {
  std::string identification = "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n";  // sent as it is
  // The lists of the client's KEXINIT; pseudo-algorithms are added by the two flags.
  std::string kex = "curve25519-sha256";
  std::string host_key = "ssh-ed25519";
  std::string cipher = "aes128-ctr", mac = "hmac-sha2-256-etm@openssh.com", compression = "none";
  bool strict = true;                 // kex-strict-c-v00@openssh.com
  bool ext_info = true;               // ext-info-c
  bool first_packet_follows = false;  // with a guess that is sent at once
  // False: nothing but the identification is sent by itself; server packets still arrive decoded.
  bool automatic = true;
  std::uint32_t group_min = 2048, group_preferred = 3072, group_max = 8192;  // group exchange
};

class SshClient {
 public:
  struct Received {
    std::uint32_t sequence;
    Bytes payload;
  };

  SshClient(ClientOptions options, base::Entropy& entropy);
  ~SshClient();
  SshClient(const SshClient&) = delete;
  SshClient& operator=(const SshClient&) = delete;

  void receive(ByteView from_server);
  ByteView pending_output() const;
  void consumed(std::size_t n);

  bool ready() const;                // keys in force both ways, no key exchange running
  int exchanges() const;             // completed key exchanges
  const std::string& error() const;  // why the client gave up; empty: it has not
  const std::string& server_identification() const;  // without CR LF
  ByteView session_identifier() const;
  const ssh::ChosenAlgorithms& chosen() const;  // of the last exchange
  ByteView host_key_blob() const;
  std::optional<ssh::KexInit> server_kex_init() const;  // as last received

  std::optional<Received> next();       // packets that are no part of key exchange, in order
  std::optional<Bytes> next_payload();  // the same without the number
  std::optional<Bytes> find(std::uint8_t type);  // drops others until one of this type

  void send(ByteView payload);          // held back while a key exchange runs
  void send_now(ByteView payload);      // sealed at once, whatever the state
  void send_raw(ByteView wire);         // bytes as they are, outside any packet
  void send_kex_init();                 // now; starts a rekey when automatic and ready()
  Bytes kex_init_payload();             // a fresh KEXINIT of the options, not sent
  void corrupt_next_packet();           // flips the last bit of the next packet sealed
  std::uint32_t next_sequence() const;  // of the next packet we seal

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Bytes that depend on the seed only. Not secure, as a test's should be.
class SeededEntropy final : public base::Entropy {
 public:
  explicit SeededEntropy(std::uint64_t seed = 1) : state_(seed * 2 + 1) {}
  void fill(base::MutableByteView out) override;

 private:
  std::uint64_t state_;
};

}  // namespace sandtrap::test

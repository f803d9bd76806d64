// Keys of users and hosts: RFC 8032's vector, OpenSSH's own tools as the judge of our files.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "crypto/hash.h"
#include "crypto/host_key.h"
#include "crypto/public_key.h"
#include "crypto/wire.h"

namespace sandtrap::crypto {
namespace {

using base::as_bytes;
using base::to_string;

Bytes from_hex(std::string_view hex) {
  Bytes out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out.push_back(static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

const std::string kEd25519 = "ssh-ed25519";

TEST(PublicKey, Ed25519KnownAnswer) {  // RFC 8032 §7.1, TEST 1: the empty message
  const Bytes blob = Writer()
                         .string(kEd25519)
                         .string(from_hex("d75a980182b10ab7d54bfed3c964073a"
                                          "0ee172f3daa62325af021a68f707511a"))
                         .take();
  const Bytes raw = from_hex(
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
      "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");
  const Bytes signature = Writer().string(kEd25519).string(raw).take();
  const auto key = PublicKey::parse(blob);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->type(), kEd25519);
  EXPECT_EQ(key->bits(), 256u);
  EXPECT_TRUE(key->verify(kEd25519, {}, signature));
  EXPECT_FALSE(key->verify(kEd25519, as_bytes("x"), signature));
  EXPECT_FALSE(key->verify("ssh-rsa", {}, signature));
  Bytes longer = signature;
  longer.push_back(0);
  EXPECT_FALSE(key->verify(kEd25519, {}, longer));
}

TEST(PublicKey, HardwareKeysSignTheirOwnFrame) {
  const auto secret = PrivateHostKey::generate(HostKeyKind::kEd25519);
  ASSERT_TRUE(secret);
  const std::string type = "sk-ssh-ed25519@openssh.com", application = "ssh:";
  Reader blob(secret->public_blob());
  blob.string();
  const auto key =
      PublicKey::parse(Writer().string(type).string(blob.string()).string(application).bytes());
  ASSERT_TRUE(key);
  const auto data = as_bytes("the exchange");
  Writer frame;
  frame.raw(hash(HashName::kSha256, as_bytes(application)).view()).byte(1).u32(77);
  frame.raw(hash(HashName::kSha256, data).view());
  const auto plain = secret->sign(kEd25519, frame.view());
  ASSERT_TRUE(plain);
  Reader parts(*plain);
  parts.string();
  const ByteView raw = parts.string();
  EXPECT_TRUE(key->verify(type, data, Writer().string(type).string(raw).byte(1).u32(77).bytes()));
  EXPECT_FALSE(key->verify(type, data, Writer().string(type).string(raw).byte(1).u32(78).bytes()));
  EXPECT_FALSE(key->verify(type, data, Writer().string(type).string(raw).bytes()));
}

// A browser's signature: its JSON, which begins with our data as the challenge, is what is hashed.
TEST(PublicKey, WebauthnSignaturesCoverTheBrowsersOwnJson) {
  const auto secret = PrivateHostKey::generate(HostKeyKind::kEcdsaP256);
  ASSERT_TRUE(secret);
  const std::string type = "sk-ecdsa-sha2-nistp256@openssh.com", application = "ssh:example";
  const std::string algorithm = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com";
  Reader blob(secret->public_blob());
  blob.string();
  const ByteView curve = blob.string(), point = blob.string();
  const auto key = PublicKey::parse(
      Writer().string(type).string(curve).string(point).string(application).bytes());
  ASSERT_TRUE(key);
  const auto data = as_bytes("any carnal pleas?>");  // its base64 has a `+`
  const auto json = [](std::string_view challenge, std::string_view origin) {
    return "{\"type\":\"webauthn.get\",\"challenge\":\"" + std::string(challenge) +
           "\",\"origin\":\"" + std::string(origin) + "\",\"crossOrigin\":false}";
  };
  const auto accepted = [&](const std::string& client_data, std::string_view origin,
                            std::uint8_t flags, std::string_view extensions) {
    Writer frame;
    frame.raw(hash(HashName::kSha256, as_bytes(application)).view()).byte(flags).u32(5);
    frame.raw(as_bytes(extensions));
    frame.raw(hash(HashName::kSha256, as_bytes(client_data)).view());
    const auto plain = secret->sign("ecdsa-sha2-nistp256", frame.view());
    if (!plain) return false;
    Reader parts(*plain);
    parts.string();
    Writer w;
    w.string(algorithm).string(parts.string()).byte(flags).u32(5);
    w.string(origin).string(client_data).string(extensions);
    return key->verify(algorithm, data, w.view());
  };
  const std::string good = "YW55IGNhcm5hbCBwbGVhcz8-";
  EXPECT_TRUE(accepted(json(good, "https://a.example"), "https://a.example", 1, ""));
  EXPECT_TRUE(accepted(json(good, "https://a.example"), "https://a.example", 0x81, "\xa0"));
  EXPECT_FALSE(accepted(json(good, "https://a.example"), "https://b.example", 1, ""));
  EXPECT_FALSE(accepted(json("YW55", "https://a.example"), "https://a.example", 1, ""));
  EXPECT_FALSE(accepted(json(good, "https://a.example"), "https://a.example", 0x81, ""));
  EXPECT_FALSE(accepted(json(good, "https://a.example"), "https://a.example", 1, "\xa0"));
  EXPECT_FALSE(accepted(json(good, "https://a.example"), "https://a.example", 0x41, ""));
}

TEST(PublicKey, RubbishIsRefused) {
  const auto parse = [](const Writer& w) { return PublicKey::parse(w.bytes()).has_value(); };
  EXPECT_FALSE(PublicKey::parse({}));
  EXPECT_FALSE(PublicKey::parse(Bytes(kMaxKeyBlob + 1, 0)));
  EXPECT_FALSE(parse(Writer().string("ssh-dss").string("x")));
  EXPECT_FALSE(parse(Writer().string(kEd25519).string(Bytes(31, 1))));
  EXPECT_FALSE(parse(Writer().string(kEd25519).string(Bytes(32, 1)).byte(0)));
  EXPECT_FALSE(
      parse(Writer().string("ecdsa-sha2-nistp256").string("nistp256").string(Bytes(65, 4))));
  EXPECT_FALSE(parse(Writer().string("ssh-rsa").mpint(Bytes{3}).mpint(Bytes(64, 0xff))));  // 512
  EXPECT_FALSE(parse(Writer().string("ssh-rsa").mpint(Bytes{}).mpint(Bytes{})));
}

class EveryKind : public testing::TestWithParam<HostKeyKind> {};

const PrivateHostKey& key_of(HostKeyKind kind) {
  static const std::array keys = [] {
    const auto make = [](HostKeyKind k) { return std::move(*PrivateHostKey::generate(k)); };
    return std::array{make(HostKeyKind::kRsa3072), make(HostKeyKind::kEcdsaP256),
                      make(HostKeyKind::kEd25519)};
  }();
  return keys[static_cast<std::size_t>(kind)];
}

TEST_P(EveryKind, SignsWhatItsPublicHalfVerifies) {
  const PrivateHostKey& secret = key_of(GetParam());
  const auto key = PublicKey::parse(secret.public_blob());
  ASSERT_TRUE(key);
  EXPECT_EQ(key->type(), secret.type());
  EXPECT_EQ(key->bits(), secret.bits());
  const std::vector<std::string> algorithms =
      GetParam() == HostKeyKind::kRsa3072
          ? std::vector<std::string>{"rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"}
          : std::vector<std::string>{secret.type()};
  for (const std::string& algorithm : algorithms) {
    const auto signature = secret.sign(algorithm, as_bytes("hash"));
    ASSERT_TRUE(signature) << algorithm;
    EXPECT_TRUE(key->verify(algorithm, as_bytes("hash"), *signature)) << algorithm;
    EXPECT_FALSE(key->verify(algorithm, as_bytes("hasi"), *signature)) << algorithm;
    for (const std::string& other : algorithms) {
      if (other != algorithm) {
        EXPECT_FALSE(key->verify(other, as_bytes("hash"), *signature));
      }
    }
    Bytes damaged = *signature;
    damaged[damaged.size() - 5] ^= 4;
    EXPECT_FALSE(key->verify(algorithm, as_bytes("hash"), damaged));
  }
  EXPECT_FALSE(secret.sign("ssh-dss", as_bytes("hash")));
}

TEST_P(EveryKind, BothFileFormatsComeBackTheSame) {
  const PrivateHostKey& secret = key_of(GetParam());
  for (const auto& text : {secret.openssh_text("root@host"), secret.pkcs8_text()}) {
    ASSERT_TRUE(text);
    const auto again = PrivateHostKey::parse(to_string(text->view()));
    ASSERT_TRUE(again) << again.error().context;
    EXPECT_EQ(again->public_blob(), secret.public_blob());
    const std::string algorithm = secret.type() == "ssh-rsa" ? "rsa-sha2-256" : secret.type();
    const auto signature = again->sign(algorithm, as_bytes("x"));
    ASSERT_TRUE(signature);
    EXPECT_TRUE(
        PublicKey::parse(secret.public_blob())->verify(algorithm, as_bytes("x"), *signature));
  }
}

TEST_P(EveryKind, TruncatedFilesAreErrors) {
  const std::string text = to_string(key_of(GetParam()).openssh_text("")->view());
  const std::string end = "-----END OPENSSH PRIVATE KEY-----\n";
  for (std::size_t n = 0; n + end.size() < text.size(); n += 37) {
    EXPECT_FALSE(PrivateHostKey::parse(text.substr(0, n) + end)) << n;
  }
}

// A folder of its own, gone with the object.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "sandtrap-keys-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path path() const { return path_; }

 private:
  std::filesystem::path path_;
};

std::string output_of(const std::string& command) {
  std::string out;
  FILE* pipe = ::popen((command + " 2>&1").c_str(), "r");
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe)) {
    out.append(buffer.data(), n);
  }
  ::pclose(pipe);
  return out;
}

bool have_ssh_keygen() {
  return std::system("command -v ssh-keygen >/dev/null") == 0;
}

TEST_P(EveryKind, SshKeygenReadsOurFiles) {
  if (!have_ssh_keygen()) GTEST_SKIP() << "ssh-keygen is not installed";
  const PrivateHostKey& secret = key_of(GetParam());
  const TemporaryFolder folder;
  const std::string file = folder.path() / "key";
  const auto text = secret.openssh_text("root@host");
  ASSERT_TRUE(text);
  std::ofstream(file) << to_string(text->view());
  std::filesystem::permissions(file, std::filesystem::perms::owner_read);
  EXPECT_EQ(output_of("ssh-keygen -y -f " + file), secret.public_line("root@host") + "\n");
  const std::string listed = output_of("ssh-keygen -l -f " + file);
  EXPECT_NE(listed.find(std::to_string(secret.bits()) + " " + fingerprint(secret.public_blob())),
            std::string::npos)
      << listed;
}

TEST_P(EveryKind, WeReadSshKeygensFiles) {
  if (!have_ssh_keygen()) GTEST_SKIP() << "ssh-keygen is not installed";
  const TemporaryFolder folder;
  const std::string file = folder.path() / "key";
  const std::array<std::string, 3> types{"rsa -b 2048", "ecdsa -b 256", "ed25519"};
  output_of("ssh-keygen -q -N '' -C c -f " + file + " -t " +
            types[static_cast<std::size_t>(GetParam())]);
  std::stringstream text, line;
  text << std::ifstream(file).rdbuf();
  line << std::ifstream(file + ".pub").rdbuf();
  const auto key = PrivateHostKey::parse(text.str());
  ASSERT_TRUE(key) << key.error().context;
  EXPECT_EQ(key->public_line("c") + "\n", line.str());
  // A passphrase is an error, never a question on the terminal.
  output_of("ssh-keygen -p -N secret1 -f " + file);
  std::stringstream protected_text;
  protected_text << std::ifstream(file).rdbuf();
  EXPECT_FALSE(PrivateHostKey::parse(protected_text.str()));
}

INSTANTIATE_TEST_SUITE_P(Keys, EveryKind,
                         testing::Values(HostKeyKind::kRsa3072, HostKeyKind::kEcdsaP256,
                                         HostKeyKind::kEd25519));

}  // namespace
}  // namespace sandtrap::crypto

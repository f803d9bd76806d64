// Does secret data reach a branch or an address? Memcheck follows undefined bytes and reports
// exactly those two, so secrets are marked undefined and the code runs under valgrind:
//
//   valgrind --error-exitcode=9 constant_time_check CASE     (ctest: constant_time.CASE)
//
// Without valgrind the marks do nothing. Case "leaks" must be reported, or the check checks
// nothing.
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstring>
#include <string_view>

#include "crypto/secret.h"
#include "crypto/sntrup761.h"

namespace {

using namespace sandtrap;
using crypto::equal_in_constant_time;
namespace sntrup = crypto::sntrup761;

void hide(const void* at, std::size_t size) {
  VALGRIND_MAKE_MEM_UNDEFINED(at, size);
}
void reveal(const void* at, std::size_t size) {
  VALGRIND_MAKE_MEM_DEFINED(at, size);
}

// Fixed bytes, secret once handed out.
class Source final : public base::Entropy {
 public:
  explicit Source(bool secret) : secret_(secret) {}
  void fill(base::MutableByteView out) override {
    for (std::uint8_t& byte : out) {
      state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
      byte = static_cast<std::uint8_t>(state_ >> 56);
    }
    if (secret_) hide(out.data(), out.size());
  }

 private:
  std::uint64_t state_ = 1;
  bool secret_;
};

// What is sent or compared as a whole is public again.
template <class Bytes>
bool is_zero(const Bytes& bytes) {
  reveal(bytes.data(), bytes.size());
  for (const std::uint8_t byte : bytes) {
    if (byte != 0) return false;
  }
  return true;
}

// The server's part: all of its randomness is secret, the ciphertext is what it sends.
bool encapsulate() {
  Source known(false), secret(true);
  const sntrup::KeyPair client = sntrup::KeyPair::generate(known);
  const auto made = sntrup::encapsulate(client.public_key(), secret);
  if (!made) return false;
  reveal(made->ciphertext.data(), made->ciphertext.size());
  const auto got = client.decapsulate(made->ciphertext);
  const base::ByteView key = made->session_key.view();
  reveal(key.data(), key.size());
  return got && got->equals(key) && !is_zero(key);
}

// The client's part, as it is tested: the private key is secret, valid ciphertext or not.
bool decapsulate() {
  Source known(false);
  sntrup::KeyPair client = sntrup::KeyPair::generate(known);
  const auto good = sntrup::encapsulate(client.public_key(), known);
  if (!good) return false;
  base::Bytes bad = good->ciphertext;
  bad[0] ^= 1;
  client.for_each_secret([](const void* at, std::size_t size) { hide(at, size); });
  const auto right = client.decapsulate(good->ciphertext), wrong = client.decapsulate(bad);
  if (!right || !wrong) return false;
  reveal(right->view().data(), right->size());
  reveal(wrong->view().data(), wrong->size());
  return right->equals(good->session_key.view()) && !wrong->equals(right->view());
}

template <class Compare>
bool compare(Compare equal) {
  std::uint8_t ours[32] = {1, 2, 3}, theirs[32] = {1, 2, 4};
  hide(ours, sizeof ours);
  bool same = equal(ours, theirs);
  reveal(&same, sizeof same);  // the verdict is public
  return !same;
}

bool run(std::string_view name) {
  if (name == "encapsulate") return encapsulate();
  if (name == "decapsulate") return decapsulate();
  if (name == "compare") {
    return compare([](base::ByteView a, base::ByteView b) { return equal_in_constant_time(a, b); });
  }
  if (name == "leaks") {  // stops at the first difference
    return compare([](base::ByteView a, base::ByteView b) {
      for (std::size_t i = 0; i < a.size(); ++i) {
        if (a[i] != b[i]) return false;
      }
      return true;
    });
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && run(argv[1])) return 0;
  std::fputs("usage: constant_time_check encapsulate | decapsulate | compare | leaks\n", stderr);
  return 2;
}

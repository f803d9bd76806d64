#include "crypto/sntrup761.h"

#include <string.h>

#include <vector>

#include "crypto/hash.h"
#include "crypto/sntrup761_ring.h"

namespace sandtrap::crypto::sntrup761 {
namespace {

using base::Errc;
using base::Result;

constexpr std::size_t kSmallBytes = (kP + 3) / 4;
constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kRoundedBytes = kCiphertext - kHashBytes;
constexpr std::uint32_t kRoundedModulus = (kQ + 2) / 3;
constexpr std::uint32_t kLimit = 16384;  // a radix at least this big gives off a byte

// ---- mixed-radix coding of number lists --------------------------------------------------------
// Neighbours are merged pairwise, low bytes are written once a radix is large, until one is left.

void encode(Bytes& out, std::vector<std::uint32_t> values, std::vector<std::uint32_t> radices) {
  const auto emit = [&out](std::uint32_t& value, std::uint32_t& radix) {
    out.push_back(static_cast<std::uint8_t>(value));
    value >>= 8;
    radix = (radix + 255) >> 8;
  };
  while (values.size() > 1) {
    const std::size_t count = values.size();
    for (std::size_t i = 0; i + 1 < count; i += 2) {
      std::uint32_t value = values[i] + values[i + 1] * radices[i];
      std::uint32_t radix = radices[i] * radices[i + 1];
      while (radix >= kLimit) emit(value, radix);
      values[i / 2] = value;
      radices[i / 2] = radix;
    }
    if (count % 2 != 0) {
      values[count / 2] = values[count - 1];
      radices[count / 2] = radices[count - 1];
    }
    values.resize((count + 1) / 2);
    radices.resize((count + 1) / 2);
  }
  while (radices[0] > 1) emit(values[0], radices[0]);
}

// The inverse, for public bytes only: it divides. `in` holds what encode() wrote for `radices`.
std::vector<std::uint32_t> decode(ByteView in, const std::vector<std::uint32_t>& radices) {
  const std::size_t count = radices.size();
  if (count == 1) {
    std::uint32_t value = 0;
    int shift = 0;
    for (std::uint32_t r = radices[0]; r > 1; r = (r + 255) >> 8, shift += 8) {
      value |= std::uint32_t{in[static_cast<std::size_t>(shift / 8)]} << shift;
    }
    return {value % radices[0]};
  }
  struct Low {
    std::uint32_t value = 0, scale = 1;
  };
  std::vector<Low> lows(count / 2);
  std::vector<std::uint32_t> upper;
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    std::uint32_t radix = radices[i] * radices[i + 1];
    for (Low& low = lows[i / 2]; radix >= kLimit; radix = (radix + 255) >> 8) {
      low.value += in[0] * low.scale;
      low.scale <<= 8;
      in = in.subspan(1);
    }
    upper.push_back(radix);
  }
  if (count % 2 != 0) upper.push_back(radices[count - 1]);
  const std::vector<std::uint32_t> highs = decode(in, upper);
  std::vector<std::uint32_t> out;
  out.reserve(count);
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    const std::uint32_t value = lows[i / 2].value + lows[i / 2].scale * highs[i / 2];
    out.push_back(value % radices[i]);
    out.push_back(value / radices[i] % radices[i + 1]);
  }
  if (count % 2 != 0) out.push_back(highs.back());
  return out;
}

Bytes encode_public(const RqPoly& h) {
  std::vector<std::uint32_t> values;
  for (const std::int16_t c : h) values.push_back(static_cast<std::uint32_t>(c + kHalfQ));
  Bytes out;
  encode(out, std::move(values), std::vector<std::uint32_t>(kP, kQ));
  return out;
}

RqPoly decode_public(ByteView bytes) {
  const auto values = decode(bytes, std::vector<std::uint32_t>(kP, kQ));
  RqPoly out;
  for (std::size_t i = 0; i < kP; ++i) {
    out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(values[i]) - kHalfQ);
  }
  return out;
}

// Coefficients are multiples of 3 in -2295 … 2295.
Bytes encode_rounded(const RqPoly& c) {
  std::vector<std::uint32_t> values;
  for (const std::int16_t v : c) {
    values.push_back(static_cast<std::uint32_t>((v + kHalfQ) * 10923) >> 15);  // ÷ 3
  }
  Bytes out;
  out.reserve(kCiphertext);
  encode(out, std::move(values), std::vector<std::uint32_t>(kP, kRoundedModulus));
  return out;
}

RqPoly decode_rounded(ByteView bytes) {
  const auto values = decode(bytes, std::vector<std::uint32_t>(kP, kRoundedModulus));
  RqPoly out;
  for (std::size_t i = 0; i < kP; ++i) {
    out[i] = static_cast<std::int16_t>(static_cast<std::int32_t>(values[i]) * 3 - kHalfQ);
  }
  return out;
}

std::array<std::uint8_t, kSmallBytes> encode_small(const SmallPoly& f) {
  std::array<std::uint8_t, kSmallBytes> out{};
  for (std::size_t i = 0; i < kP; ++i) {
    out[i / 4] = static_cast<std::uint8_t>(out[i / 4] + ((f[i] + 1) << (2 * (i % 4))));
  }
  return out;
}

// ---- hashes ------------------------------------------------------------------------------------

// SHA-512 behind a domain byte, cut to 32 bytes.
std::array<std::uint8_t, kHashBytes> prefixed(std::uint8_t domain, ByteView a, ByteView b = {}) {
  const Digest d = Hash(HashName::kSha512).update({&domain, 1}).update(a).update(b).finish();
  std::array<std::uint8_t, kHashBytes> out;
  std::copy_n(d.bytes.begin(), out.size(), out.begin());
  return out;
}

// The ciphertext for `r` under a public key, its confirmation hash at the end.
Bytes hide(const SmallPoly& r, ByteView encoded_r, ByteView public_key) {
  RqPoly c = multiply(decode_public(public_key), r);
  for (std::int16_t& v : c)
    v = static_cast<std::int16_t>(v - reduce_3(v));  // rounding is the noise
  Bytes out = encode_rounded(c);
  const auto confirmation = prefixed(2, prefixed(3, encoded_r), prefixed(4, public_key));
  base::append(out, confirmation);
  return out;
}

Secret session_key(std::uint8_t domain, ByteView encoded_r, ByteView ciphertext) {
  return Secret(ByteView(prefixed(domain, prefixed(3, encoded_r), ciphertext)));
}

}  // namespace

Result<Encapsulated> encapsulate(ByteView public_key, base::Entropy& entropy) {
  if (public_key.size() != kPublicKey) return base::fail(Errc::kInvalid, "sntrup761: wrong length");
  SmallPoly r = random_short(entropy);
  auto encoded = encode_small(r);
  Bytes ciphertext = hide(r, encoded, public_key);
  Secret key = session_key(1, encoded, ciphertext);
  ::explicit_bzero(r.data(), sizeof r);
  ::explicit_bzero(encoded.data(), sizeof encoded);
  return Encapsulated{std::move(ciphertext), std::move(key)};
}

KeyPair KeyPair::generate(base::Entropy& entropy) {
  KeyPair pair;
  SmallPoly g;
  do {
    g = random_small(entropy);
  } while (!inverse_3(g, pair.g_inverse_));
  pair.f_ = random_short(entropy);
  pair.public_key_ = encode_public(multiply(inverse_of_three_times(pair.f_), g));
  pair.rejection_ = Secret(kSmallBytes);
  entropy.fill(pair.rejection_.writable());
  ::explicit_bzero(g.data(), sizeof g);
  return pair;
}

Secret KeyPair::secret_key() const {
  Bytes out;
  base::append(out, encode_small(f_));
  base::append(out, encode_small(g_inverse_));
  base::append(out, public_key_);
  base::append(out, rejection_.view());
  base::append(out, prefixed(4, public_key_));
  return Secret(std::move(out));
}

KeyPair::~KeyPair() {
  ::explicit_bzero(f_.data(), sizeof f_);
  ::explicit_bzero(g_inverse_.data(), sizeof g_inverse_);
}

Result<Secret> KeyPair::decapsulate(ByteView ciphertext) const {
  if (ciphertext.size() != kCiphertext)
    return base::fail(Errc::kInvalid, "sntrup761: wrong length");
  const RqPoly product = multiply(decode_rounded(ciphertext.first(kRoundedBytes)), f_);
  SmallPoly e;
  for (std::size_t i = 0; i < kP; ++i) e[i] = reduce_3(reduce_q(3 * product[i]));
  SmallPoly r = multiply_3(e, g_inverse_);
  const int wrong_weight = weight_mask(r);
  for (std::size_t i = 0; i < kP; ++i) {  // a wrong weight decrypts to a fixed polynomial
    const int fixed = i < kWeight ? 1 : 0;
    r[i] = static_cast<std::int8_t>((r[i] & ~wrong_weight) | (fixed & wrong_weight));
  }
  auto encoded = encode_small(r);
  const Bytes again = hide(r, encoded, public_key_);
  std::uint32_t difference = 0;
  for (std::size_t i = 0; i < kCiphertext; ++i) {
    difference |= static_cast<std::uint32_t>(again[i] ^ ciphertext[i]);
  }
  const auto mask = static_cast<std::uint8_t>(0u - ((difference + 255) >> 8));  // 0xff: different
  for (std::size_t i = 0; i < encoded.size(); ++i) {
    const std::uint8_t exchange = mask & (encoded[i] ^ rejection_.view()[i]);
    encoded[i] = static_cast<std::uint8_t>(encoded[i] ^ exchange);
  }
  Secret key = session_key(static_cast<std::uint8_t>(1 - (mask & 1)), encoded, ciphertext);
  ::explicit_bzero(encoded.data(), sizeof encoded);
  ::explicit_bzero(r.data(), sizeof r);
  return key;
}

}  // namespace sandtrap::crypto::sntrup761

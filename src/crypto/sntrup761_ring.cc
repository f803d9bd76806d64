#include "crypto/sntrup761_ring.h"

#include <algorithm>

namespace sandtrap::crypto::sntrup761 {
namespace {

// All ones if x is negative, else zero.
std::int32_t negative_mask(std::int32_t x) {
  return x >> 31;
}

std::int32_t nonzero_mask(std::int32_t x) {
  return negative_mask(x | -x);
}

// Barrett: the nearest multiple of `modulus` to x taken off, then one correction each way.
std::int32_t center(std::int32_t x, std::int32_t modulus) {
  const std::int64_t inverse = (std::int64_t{1} << 40) / modulus;
  const auto quotient = static_cast<std::int32_t>((x * inverse + (std::int64_t{1} << 39)) >> 40);
  std::int32_t r = x - quotient * modulus;
  const std::int32_t half = (modulus - 1) / 2;
  r += modulus & negative_mask(r + half);
  r -= modulus & negative_mask(half - r);
  return r;
}

void sort_pair(std::uint32_t& a, std::uint32_t& b) {
  const std::uint64_t difference = std::uint64_t{b} - a;
  const auto less = static_cast<std::uint32_t>(difference >> 32);  // all ones if b < a
  const std::uint32_t exchange = (a ^ b) & less;
  a ^= exchange;
  b ^= exchange;
}

// Batcher's merge exchange (Knuth 5.2.2, algorithm M): which pairs are compared depends on the
// length alone.
template <std::size_t N>
void sort(std::array<std::uint32_t, N>& list) {
  std::size_t top = 1;
  while (top * 2 < N) top *= 2;
  for (std::size_t p = top; p > 0; p /= 2) {
    std::size_t remainder = 0, distance = p;
    for (std::size_t q = top;; q /= 2) {
      for (std::size_t i = 0; i + distance < N; ++i) {
        if ((i & p) == remainder) sort_pair(list[i], list[i + distance]);
      }
      if (q == p) break;
      distance = q - p;
      remainder = p;
    }
  }
}

std::array<std::uint32_t, kP> random_words(base::Entropy& entropy) {
  std::array<std::uint8_t, 4 * kP> raw;
  entropy.fill(raw);
  std::array<std::uint32_t, kP> out;
  for (std::size_t i = 0; i < kP; ++i) {
    const std::uint8_t* b = raw.data() + 4 * i;
    out[i] =
        b[0] | std::uint32_t{b[1]} << 8 | std::uint32_t{b[2]} << 16 | std::uint32_t{b[3]} << 24;
  }
  ::explicit_bzero(raw.data(), raw.size());
  return out;
}

constexpr std::size_t kBlock = 32;  // coefficients per inner loop
constexpr std::size_t kPadded = (kP + kBlock - 1) / kBlock * kBlock;

// Coefficient k of f * g before reduction is the inner product of f with g reversed and shifted;
// sums stay below 761 * 2295, far from overflow.
template <class Coefficient, class Reduce>
std::array<Coefficient, kP> product(const std::array<std::int16_t, kPadded>& f, const SmallPoly& g,
                                    Reduce reduce) {
  // reversed[kPadded + kP - 1 - j] = g[j], zeros around: every inner product has the same length.
  std::array<std::int16_t, 2 * kPadded + kP> reversed{};
  for (std::size_t j = 0; j < kP; ++j) reversed[kPadded + kP - 1 - j] = g[j];
  std::array<std::int32_t, 2 * kP - 1> wide;
  for (std::size_t k = 0; k < wide.size(); ++k) {
    const std::int16_t* window = reversed.data() + kPadded + kP - 1 - k;
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < kPadded; ++i) sum += std::int32_t{f[i]} * window[i];
    wide[k] = sum;
  }
  for (std::size_t i = wide.size() - 1; i >= kP; --i) {  // x^761 = x + 1
    wide[i - kP] += wide[i];
    wide[i - kP + 1] += wide[i];
  }
  std::array<Coefficient, kP> out;
  for (std::size_t i = 0; i < kP; ++i) out[i] = reduce(wide[i]);
  return out;
}

template <class Poly>
std::array<std::int16_t, kPadded> widen(const Poly& f) {
  std::array<std::int16_t, kPadded> out{};
  std::copy(f.begin(), f.end(), out.begin());
  return out;
}

std::int16_t inverse_q(std::int16_t x) {  // x^(q-2)
  std::int16_t out = 1, power = x;
  for (int exponent = kQ - 2; exponent > 0; exponent >>= 1) {
    if ((exponent & 1) != 0) out = reduce_q(std::int32_t{out} * power);
    power = reduce_q(std::int32_t{power} * power);
  }
  return out;
}

// Bernstein-Yang division steps on the reversed polynomials: 2p - 1 of them always suffice. At the
// end v holds the inverse up to the constant f[0]; returns whether there was one.
template <class Coefficient, class Reduce>
struct DivisionSteps {
  using Row = std::array<Coefficient, kP + 1>;
  Row f{}, g{}, v{}, r{};
  Reduce reduce;

  bool run(const SmallPoly& in, Coefficient first) {
    f[0] = 1;
    f[kP - 1] = f[kP] = -1;
    for (std::size_t i = 0; i < kP; ++i) g[kP - 1 - i] = in[i];
    r[0] = first;
    std::int32_t delta = 1;
    for (int step = 0; step < 2 * kP - 1; ++step) {
      std::copy_backward(v.begin(), v.end() - 1, v.end());
      v[0] = 0;
      const std::int32_t swap = negative_mask(-delta) & nonzero_mask(g[0]);
      delta ^= swap & (delta ^ -delta);
      ++delta;
      exchange(f, g, swap);
      exchange(v, r, swap);
      const std::int32_t f0 = f[0], g0 = g[0];
      for (std::size_t i = 0; i <= kP; ++i) g[i] = reduce(f0 * g[i] - g0 * f[i]);
      for (std::size_t i = 0; i <= kP; ++i) r[i] = reduce(f0 * r[i] - g0 * v[i]);
      std::copy(g.begin() + 1, g.end(), g.begin());
      g[kP] = 0;
    }
    return delta == 0;
  }
  static void exchange(Row& a, Row& b, std::int32_t mask) {
    for (std::size_t i = 0; i <= kP; ++i) {
      const auto t = static_cast<Coefficient>(mask & (a[i] ^ b[i]));
      a[i] = static_cast<Coefficient>(a[i] ^ t);
      b[i] = static_cast<Coefficient>(b[i] ^ t);
    }
  }
};

struct ReduceQ {
  std::int16_t operator()(std::int32_t x) const { return reduce_q(x); }
};
struct Reduce3 {
  std::int8_t operator()(std::int32_t x) const { return reduce_3(x); }
};

}  // namespace

std::int16_t reduce_q(std::int32_t x) {
  return static_cast<std::int16_t>(center(x, kQ));
}

std::int8_t reduce_3(std::int32_t x) {
  return static_cast<std::int8_t>(center(x, 3));
}

SmallPoly random_small(base::Entropy& entropy) {
  const auto words = random_words(entropy);
  SmallPoly out;
  for (std::size_t i = 0; i < kP; ++i) {
    out[i] =
        static_cast<std::int8_t>(static_cast<std::int32_t>((words[i] & 0x3fffffff) * 3 >> 30) - 1);
  }
  return out;
}

// The first 286 words become ±1, the others 0; sorting by their high bits shuffles them.
SmallPoly random_short(base::Entropy& entropy) {
  auto words = random_words(entropy);
  for (std::size_t i = 0; i < kP; ++i) {
    words[i] = i < kWeight ? words[i] & ~1u : (words[i] & ~2u) | 1u;
  }
  sort(words);
  SmallPoly out;
  for (std::size_t i = 0; i < kP; ++i) {
    out[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(words[i] & 3) - 1);
  }
  ::explicit_bzero(words.data(), sizeof words);
  return out;
}

RqPoly multiply(const RqPoly& f, const SmallPoly& g) {
  return product<std::int16_t>(widen(f), g, ReduceQ{});
}

SmallPoly multiply_3(const SmallPoly& f, const SmallPoly& g) {
  return product<std::int8_t>(widen(f), g, Reduce3{});
}

RqPoly inverse_of_three_times(const SmallPoly& in) {
  DivisionSteps<std::int16_t, ReduceQ> steps;
  steps.run(in, inverse_q(3));
  const std::int32_t scale = inverse_q(steps.f[0]);
  RqPoly out;
  for (std::size_t i = 0; i < kP; ++i) out[i] = reduce_q(scale * steps.v[kP - 1 - i]);
  return out;
}

bool inverse_3(const SmallPoly& in, SmallPoly& inverse) {
  DivisionSteps<std::int8_t, Reduce3> steps;
  const bool exists = steps.run(in, 1);
  const std::int32_t sign = steps.f[0];
  for (std::size_t i = 0; i < kP; ++i) inverse[i] = reduce_3(sign * steps.v[kP - 1 - i]);
  return exists;
}

int weight_mask(const SmallPoly& f) {
  std::int32_t weight = 0;
  for (const std::int8_t c : f) weight += c & 1;
  return nonzero_mask(weight - kWeight);
}

}  // namespace sandtrap::crypto::sntrup761

// The arithmetic under sntrup761: coefficients modulo q = 4591 and modulo 3, polynomials modulo
// x^761 - x - 1, inverses by constant-time division steps, sorting by a fixed network.
#pragma once

#include <array>
#include <cstdint>

#include "base/bytes.h"
#include "base/entropy.h"

namespace sandtrap::crypto::sntrup761 {

inline constexpr int kP = 761, kQ = 4591, kWeight = 286;
inline constexpr int kHalfQ = (kQ - 1) / 2;

using SmallPoly = std::array<std::int8_t, kP>;  // coefficients -1, 0, 1
using RqPoly = std::array<std::int16_t, kP>;    // coefficients -2295 … 2295

// Into the centred range; |x| below 2^24, which every sum of products here keeps to.
std::int16_t reduce_q(std::int32_t x);
std::int8_t reduce_3(std::int32_t x);

SmallPoly random_small(base::Entropy& entropy);
SmallPoly random_short(base::Entropy& entropy);  // weight 286

RqPoly multiply(const RqPoly& f, const SmallPoly& g);
SmallPoly multiply_3(const SmallPoly& f, const SmallPoly& g);
RqPoly inverse_of_three_times(const SmallPoly& f);       // 1 / (3 f) in Rq
bool inverse_3(const SmallPoly& f, SmallPoly& inverse);  // 1 / f in R3; false: there is none
// All ones if the weight is not 286, else zero.
int weight_mask(const SmallPoly& f);

}  // namespace sandtrap::crypto::sntrup761

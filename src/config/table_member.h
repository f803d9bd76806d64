// How a row of the table names its member of Settings.
#pragma once

#include "config/settings.h"

namespace sandtrap::config {

template <auto Outer, auto Inner>
auto& in(Settings& s) {
  return s.*Outer.*Inner;
}
template <auto M>
auto& top(Settings& s) {
  return s.*M;
}

}  // namespace sandtrap::config

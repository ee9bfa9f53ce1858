// Reorders weights of foreign layouts to OHWI, and back.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

// [out][in][ky][kx] -> [out][ky][kx][in]. `to(out)` is where an output channel goes.
template <class T, class Value, class To>
std::vector<T> OhwiFromOihw(const std::vector<Value>& values, int64_t out, int64_t in,
                            int64_t kernel_h, int64_t kernel_w, To to) {
  std::vector<T> weights(values.size());
  const int64_t area = kernel_h * kernel_w;
  for (int64_t oc = 0; oc < out; ++oc) {
    for (int64_t ic = 0; ic < in; ++ic) {
      for (int64_t tap = 0; tap < area; ++tap) {
        weights[static_cast<size_t>((to(oc) * area + tap) * in + ic)] =
            static_cast<T>(values[static_cast<size_t>((oc * in + ic) * area + tap)]);
      }
    }
  }
  return weights;
}

template <class T, class Value>
std::vector<T> OhwiFromOihw(const std::vector<Value>& values, int64_t out, int64_t in,
                            int64_t kernel_h, int64_t kernel_w) {
  return OhwiFromOihw<T>(values, out, in, kernel_h, kernel_w, [](int64_t oc) { return oc; });
}

// The way back: output channel n of the result is from(n) of `weights`.
template <class T, class Value, class From>
std::vector<T> OihwFromOhwi(const std::vector<Value>& weights, int64_t out, int64_t in,
                            int64_t kernel_h, int64_t kernel_w, From from) {
  std::vector<T> values(weights.size());
  const int64_t area = kernel_h * kernel_w;
  for (int64_t oc = 0; oc < out; ++oc) {
    for (int64_t ic = 0; ic < in; ++ic) {
      for (int64_t tap = 0; tap < area; ++tap) {
        values[static_cast<size_t>((oc * in + ic) * area + tap)] =
            static_cast<T>(weights[static_cast<size_t>((from(oc) * area + tap) * in + ic)]);
      }
    }
  }
  return values;
}

// Error if a value does not fit 16 bits.
inline Result<void> CheckInt16(std::string_view name, const std::vector<int64_t>& values) {
  for (int64_t value : values) {
    if (value < std::numeric_limits<int16_t>::min() ||
        value > std::numeric_limits<int16_t>::max()) {
      return Fail("{}: weight {} does not fit 16 bits", name, value);
    }
  }
  return {};
}

}  // namespace lichen

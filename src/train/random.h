// Random numbers that a key alone determines, so that any step of a training run can be made again.
#pragma once

#include <cstdint>
#include <initializer_list>

namespace lichen {

// SplitMix64 over the mixed key.
class KeyedRandom {
 public:
  KeyedRandom(std::initializer_list<uint64_t> key) {
    for (const uint64_t part : key) state_ = Mix(state_ ^ Mix(part + kGolden)) + kGolden;
  }

  uint64_t Next() { return Mix(state_ += kGolden); }
  // In [0, 1).
  double Uniform() { return static_cast<double>(Next() >> 11) * 0x1p-53; }
  // In [0, count). Requires count > 0.
  int64_t Below(int64_t count) {
    return static_cast<int64_t>(Next() % static_cast<uint64_t>(count));
  }

 private:
  static constexpr uint64_t kGolden = 0x9e3779b97f4a7c15;
  static constexpr uint64_t Mix(uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  uint64_t state_ = 0;
};

}  // namespace lichen

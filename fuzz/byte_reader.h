// Numbers out of a fuzzer's bytes; zeros once they are used up.
#pragma once

#include <cstdint>
#include <span>

namespace lichen {

class ByteReader {
 public:
  explicit ByteReader(std::span<const uint8_t> bytes) : bytes_(bytes) {}

  uint8_t Byte() {
    if (bytes_.empty()) return 0;
    const uint8_t byte = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return byte;
  }
  bool Bool() { return Byte() & 1; }
  // A number of [low, high]; takes as many bytes as the span needs.
  int64_t Int(int64_t low, int64_t high) {
    const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    uint64_t value = 0;
    for (uint64_t left = span; left > 0; left >>= 8) value = value << 8 | Byte();
    return static_cast<int64_t>(static_cast<uint64_t>(low) +
                                (span == UINT64_MAX ? value : value % (span + 1)));
  }
  std::span<const uint8_t> Rest() const { return bytes_; }

 private:
  std::span<const uint8_t> bytes_;
};

// SplitMix64, for the many values that a few bytes stand for.
class SmallRandom {
 public:
  explicit SmallRandom(uint64_t seed) : state_(seed) {}
  uint64_t Bits() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
  }
  int64_t Int(int64_t low, int64_t high) {
    const uint64_t span = static_cast<uint64_t>(high) - static_cast<uint64_t>(low);
    return static_cast<int64_t>(static_cast<uint64_t>(low) + Bits() % (span + 1));
  }

 private:
  uint64_t state_;
};

}  // namespace lichen

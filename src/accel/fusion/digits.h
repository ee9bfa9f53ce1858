// Operands as digits of 2 bits, and digits as planes of memory (docs/fusion.md, "Digits and planes").
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace lichen::fusion {

// Digits [offset, offset + digits) of every element of a tensor; 1, 2 or 4 digits.
struct Plane {
  int64_t digits = 0;
  int64_t offset = 0;
  bool is_signed = false;  // the top digit
  bool operator==(const Plane&) const = default;
};

inline constexpr int64_t kMaxOperandBits = 8;

inline int64_t DigitCount(int64_t bits) { return (bits + 1) / 2; }

// Low digits first. Operands have at most 8 bits; wider values are planes of bytes.
inline std::vector<Plane> PlanesOf(int64_t bits, bool is_signed) {
  std::vector<Plane> planes;
  const int64_t digits = bits > kMaxOperandBits ? 4 * ((bits + 7) / 8) : DigitCount(bits);
  for (int64_t at = 0; at < digits;) {
    const int64_t left = digits - at;
    const int64_t size = left >= 4 ? 4 : left >= 2 ? 2 : 1;
    planes.push_back({size, at, is_signed && at + size == digits});
    at += size;
  }
  return planes;
}

inline uint64_t PlaneBits(int64_t value, const Plane& plane) {
  return static_cast<uint64_t>(value) >> (2 * plane.offset) &
         ((uint64_t{1} << (2 * plane.digits)) - 1);
}

inline int64_t PlaneValue(uint64_t bits, const Plane& plane) {
  const int64_t size = 2 * plane.digits;
  const bool is_negative = plane.is_signed && (bits >> (size - 1) & 1) != 0;
  return static_cast<int64_t>(bits) - (is_negative ? int64_t{1} << size : 0);
}

// `count` digits (at most 28) from a digit address of bytes; what lies beyond them is 0.
inline uint64_t ReadDigits(std::span<const uint8_t> bytes, int64_t at, int64_t count) {
  uint64_t word = 0;
  const auto first = static_cast<size_t>(at / 4);
  for (size_t i = 0; i < 8 && first + i < bytes.size(); ++i) {
    word |= static_cast<uint64_t>(bytes[first + i]) << (8 * i);
  }
  return word >> (2 * (at % 4)) & ((uint64_t{1} << (2 * count)) - 1);
}

// Over digits that are 0.
inline void WriteDigits(std::span<uint8_t> bytes, int64_t at, int64_t count, uint64_t value) {
  for (int64_t i = 0; i < count; ++i) {
    bytes[static_cast<size_t>((at + i) / 4)] |=
        static_cast<uint8_t>((value >> (2 * i) & 3) << (2 * ((at + i) % 4)));
  }
}

}  // namespace lichen::fusion

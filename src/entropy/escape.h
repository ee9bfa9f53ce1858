// How a symbol outside its table's range [lo, hi] is written: as LEB128 of its distance from the range.
//
// Contract: the code is 2 * (symbol - hi - 1) above and 2 * (lo - 1 - symbol) + 1 below the range; it takes 1 to 3 bytes.
// A table without symbols (only an escape) has hi = lo - 1.
#pragma once

#include <cstdint>

namespace lichen {

inline constexpr int kMaxEscapeBytes = 3;

constexpr uint32_t EscapeCode(int32_t symbol, int32_t lo, int32_t hi) {
  return symbol > hi ? 2 * static_cast<uint32_t>(symbol - hi - 1)
                     : 2 * static_cast<uint32_t>(lo - 1 - symbol) + 1;
}

// May lie outside int16 for a code that no encoder writes. Requires code < 2^21.
constexpr int32_t EscapedSymbol(uint32_t code, int32_t lo, int32_t hi) {
  const int32_t distance = static_cast<int32_t>(code >> 1);
  return code & 1 ? lo - 1 - distance : hi + 1 + distance;
}

constexpr int EscapeBytes(uint32_t code) { return code < 1u << 7 ? 1 : code < 1u << 14 ? 2 : 3; }

static_assert(EscapedSymbol(EscapeCode(-32768, -4, 4), -4, 4) == -32768);
static_assert(EscapedSymbol(EscapeCode(5, -4, 4), -4, 4) == 5);
static_assert(EscapeCode(32767, -32767, -32768) < 1u << 18);

}  // namespace lichen

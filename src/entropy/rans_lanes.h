// The inner loops of the rANS coder: many symbols in, 32 states round robin, one stream of 16-bit words.
//
// Contract: symbol number i uses state i % lane_count. States stay in [2^16, 2^32). Decoding a symbol: slot = low prob_bits of
// the state; the entry whose slots hold it is the symbol; state = frequency * (state >> prob_bits) + slot - start; if
// state < 2^16, state = state << 16 | next word. Encoding is the exact inverse, from the last symbol to the first, writing words
// downwards. So the order of words is the order of symbols, whatever the vector width: *Simd equals *Ref for every input.
#pragma once

#include <cstdint>

#include "base/tensor.h"
#include "entropy/prepared_tables.h"

namespace lichen {

inline constexpr size_t kLaneCount = 32;
inline constexpr uint32_t kLowestState = 1u << 16;
// Words that *Simd may read beyond a decoder's words_end, and overwrite below the words that an encoder returns.
inline constexpr size_t kWordSlack = 2 * kLaneCount;

// The table of each symbol: explicit numbers where not null, else the cycle 0, 1, ..., cycle_count - 1 from `phase` on.
struct TableNumbers {
  const uint8_t* numbers = nullptr;
  const uint32_t* cycle = nullptr;  // cycle_count + PreparedTables::kCycleSlack elements
  uint32_t cycle_count = 0;
  uint32_t phase = 0;
};

struct LaneStates {
  alignas(kAlignBytes) uint32_t state[kLaneCount];
};

struct DecodeOutcome {
  const uint16_t* words = nullptr;  // next unread; beyond words_end: the words ran out
  bool has_marker = false;          // `out` may hold a kEscapeMarker
};

// Decodes `count` symbols with states first_lane, first_lane + 1, ... modulo lane_count (a power of two). Stops early when the
// words run out. Requires kWordSlack readable words at words_end.
DecodeOutcome DecodeLanesRef(const DecodeView& view, const TableNumbers& tables, size_t count,
                             size_t first_lane, size_t lane_count, const uint16_t* words,
                             const uint16_t* words_end, LaneStates& states, int16_t* out);
// The same for first_lane = 0, lane_count = kLaneCount and count a multiple of kLaneCount. On running out, `out` and the
// states hold anything.
DecodeOutcome DecodeLanesSimd(const DecodeView& view, const TableNumbers& tables, size_t count,
                              const uint16_t* words, const uint16_t* words_end, LaneStates& states,
                              int16_t* out);

// Encodes packed slots from the last to the first; `words_end` is the word last written (exclusive end of free space);
// returns the new one. Requires room for count + kWordSlack words below words_end.
uint16_t* EncodeLanesRef(const uint32_t* slots, size_t count, size_t first_lane, size_t lane_count,
                         int prob_bits, LaneStates& states, uint16_t* words_end);
uint16_t* EncodeLanesSimd(const uint32_t* slots, size_t count, int prob_bits, LaneStates& states,
                          uint16_t* words_end);

}  // namespace lichen

#include "entropy/rans_lanes.h"

namespace lichen {

DecodeOutcome DecodeLanesRef(const DecodeView& view, const TableNumbers& tables, size_t count,
                             size_t first_lane, size_t lane_count, const uint16_t* words,
                             const uint16_t* words_end, LaneStates& states, int16_t* out) {
  const uint32_t slot_mask = (1u << view.prob_bits) - 1;
  const int bucket_shift = view.prob_bits - kBucketBits;
  uint32_t phase = tables.phase;
  bool has_marker = false;
  for (size_t i = 0; i < count && words <= words_end; ++i) {
    uint32_t& state = states.state[(first_lane + i) & (lane_count - 1)];
    const uint32_t table = tables.numbers ? tables.numbers[i] : phase;
    if (++phase == tables.cycle_count) phase = 0;
    const uint32_t slot = state & slot_mask;
    uint32_t entry = view.buckets[(table << kBucketBits) + (slot >> bucket_shift)];
    uint32_t packed = view.entries[entry];
    while (slot - SlotStart(packed) >= SlotFrequency(packed)) packed = view.entries[++entry];
    state = SlotFrequency(packed) * (state >> view.prob_bits) + slot - SlotStart(packed);
    if (state < kLowestState) state = state << 16 | *words++;
    out[i] = static_cast<int16_t>(view.symbols[entry]);
    has_marker |= out[i] == kEscapeMarker;
  }
  return {words, has_marker};
}

uint16_t* EncodeLanesRef(const uint32_t* slots, size_t count, size_t first_lane, size_t lane_count,
                         int prob_bits, LaneStates& states, uint16_t* words_end) {
  for (size_t i = count; i-- > 0;) {
    uint32_t& state = states.state[(first_lane + i) & (lane_count - 1)];
    const uint32_t frequency = SlotFrequency(slots[i]);
    if (state >> (32 - prob_bits) >= frequency) {
      *--words_end = static_cast<uint16_t>(state);
      state >>= 16;
    }
    state = ((state / frequency) << prob_bits) + state % frequency + SlotStart(slots[i]);
  }
  return words_end;
}

}  // namespace lichen

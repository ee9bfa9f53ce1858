#include <array>

#include "entropy/rans_lanes.h"

#define HWY_WANT_AVX3_DL
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "entropy/rans_lanes_simd.cc"
#include "hwy/foreach_target.h"
// After foreach_target.
#include "hwy/highway.h"

#ifndef LICHEN_RANS_LANE_TABLES
#define LICHEN_RANS_LANE_TABLES
namespace lichen {
using LaneTable = std::array<std::array<uint8_t, 8>, 256>;
// [mask][i]: the word that lane i receives, which is the number of set bits of mask below bit i.
alignas(64) constexpr LaneTable kWordOfLane = [] {
  LaneTable table{};
  for (size_t mask = 0; mask < 256; ++mask) {
    uint8_t words = 0;
    for (size_t lane = 0; lane < 8; ++lane) {
      table[mask][lane] = words;
      words = static_cast<uint8_t>(words + (mask >> lane & 1));
    }
  }
  return table;
}();
// [mask][8 - count ... 7]: the lanes of mask, rising.
alignas(64) constexpr LaneTable kLaneOfWord = [] {
  LaneTable table{};
  for (size_t mask = 0; mask < 256; ++mask) {
    size_t end = 8;
    for (size_t lane = 8; lane-- > 0;) {
      if (mask >> lane & 1) table[mask][--end] = static_cast<uint8_t>(lane);
    }
  }
  return table;
}();
}  // namespace lichen
#endif

HWY_BEFORE_NAMESPACE();
namespace lichen::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR || HWY_TARGET == HWY_EMU128 || HWY_HAVE_SCALABLE

DecodeOutcome DecodeLanes(const DecodeView& view, const TableNumbers& tables, size_t count,
                          const uint16_t* words, const uint16_t* words_end, LaneStates& states,
                          int16_t* out) {
  return DecodeLanesRef(view, tables, count, 0, kLaneCount, words, words_end, states, out);
}

uint16_t* EncodeLanes(const uint32_t* slots, size_t count, int prob_bits, LaneStates& states,
                      uint16_t* words_end) {
  return EncodeLanesRef(slots, count, 0, kLaneCount, prob_bits, states, words_end);
}

#else

using DU32 = hn::CappedTag<uint32_t, 16>;
using DI32 = hn::RebindToSigned<DU32>;
using DF32 = hn::Rebind<float, DU32>;
using DU16 = hn::Rebind<uint16_t, DU32>;
using DU8 = hn::Rebind<uint8_t, DU32>;
using VU32 = hn::Vec<DU32>;
constexpr size_t kVectorLanes = hn::MaxLanes(DU32());
constexpr size_t kVectors = kLaneCount / kVectorLanes;
constexpr DU32 du32;
constexpr DI32 di32;
constexpr DF32 df32;

HWY_INLINE VU32 Gather(const uint32_t* base, VU32 index) {
  return hn::GatherIndex(du32, base, hn::BitCast(di32, index));
}

// a > b for numbers below 2^31, for which signed comparison is cheaper.
HWY_INLINE hn::Mask<DU32> GtSmall(VU32 a, VU32 b) {
  return hn::RebindMask(du32, hn::Gt(hn::BitCast(di32, a), hn::BitCast(di32, b)));
}

#if HWY_TARGET > HWY_AVX3
HWY_INLINE size_t MaskBits(hn::Mask<DU32> mask) {
  uint8_t bytes[8] = {};  // StoreMaskBits writes whole bytes
  hn::StoreMaskBits(du32, mask, bytes);
  return bytes[0];
}
#endif

// Puts the next words into the low halves of the lanes of `mask`, in lane order, and moves `words` past them.
HWY_INLINE VU32 TakeWords(const uint16_t*& words, hn::Mask<DU32> mask) {
  const VU32 next = hn::PromoteTo(du32, hn::LoadU(DU16(), words));
#if HWY_TARGET <= HWY_AVX3
  const auto bits = static_cast<__mmask16>(mask.raw);
  words += hwy::PopCount(static_cast<uint64_t>(bits));
  return VU32{_mm512_maskz_expand_epi32(bits, next.raw)};
#else
  const size_t bits = MaskBits(mask);
  words += hwy::PopCount(uint64_t{bits});
  const VU32 lane = hn::PromoteTo(du32, hn::LoadU(DU8(), kWordOfLane[bits].data()));
  return hn::TableLookupLanes(next, hn::IndicesFromVec(du32, lane));
#endif
}

// Writes the low halves of the lanes of `mask`, in lane order, below words_end, and moves it before them.
HWY_INLINE void PutWords(uint16_t*& words_end, VU32 state, hn::Mask<DU32> mask) {
  const DU16 du16;
  const VU32 low = hn::And(state, hn::Set(du32, 0xFFFF));
#if HWY_TARGET <= HWY_AVX3
  const size_t count = hn::CountTrue(du32, mask);
  words_end -= count;
  hn::BlendedStore(hn::DemoteTo(du16, hn::BitCast(di32, hn::Compress(low, mask))),
                   hn::FirstN(du16, count), du16, words_end);
#else
  // A whole vector with the words at its upper end; what lies below them is free space.
  const size_t bits = MaskBits(mask);
  const uint8_t* lanes = kLaneOfWord[bits].data() + 8 - kVectorLanes;
  const VU32 lane = hn::PromoteTo(du32, hn::LoadU(DU8(), lanes));
  const VU32 packed = hn::TableLookupLanes(low, hn::IndicesFromVec(du32, lane));
  hn::StoreU(hn::DemoteTo(du16, hn::BitCast(di32, packed)), du16, words_end - kVectorLanes);
  words_end -= hwy::PopCount(uint64_t{bits});
#endif
}

// One group of kLaneCount symbols: all lookups first, so that they overlap, then the words in order.
template <class LoadTables>
HWY_INLINE void DecodeGroup(const DecodeView& view, LoadTables load_tables, const uint16_t*& words,
                            VU32 (&state)[kVectors], hn::Mask<DU32>& markers,
                            int16_t* HWY_RESTRICT out) {
  const VU32 slot_mask = hn::Set(du32, (1u << view.prob_bits) - 1);
  const int bucket_shift = view.prob_bits - kBucketBits;
  HWY_UNROLL(kVectors)
  for (size_t v = 0; v < kVectors; ++v) {
    const VU32 slot = hn::And(state[v], slot_mask);
    const VU32 bucket =
        hn::Add(hn::ShiftLeft<kBucketBits>(load_tables(v)), hn::ShiftRightSame(slot, bucket_shift));
    VU32 entry = Gather(view.buckets, bucket);
    VU32 packed = Gather(view.entries, entry);
    VU32 offset = hn::Sub(slot, hn::And(packed, hn::Set(du32, 0xFFFF)));
    VU32 last = hn::ShiftRight<16>(packed);
    for (auto miss = GtSmall(offset, last); HWY_UNLIKELY(!hn::AllFalse(du32, miss));
         miss = GtSmall(offset, last)) {
      entry = hn::IfThenElse(miss, hn::Add(entry, hn::Set(du32, 1)), entry);
      packed = Gather(view.entries, entry);
      offset = hn::Sub(slot, hn::And(packed, hn::Set(du32, 0xFFFF)));
      last = hn::ShiftRight<16>(packed);
    }
    const VU32 high = hn::ShiftRightSame(state[v], view.prob_bits);
    state[v] = hn::Add(hn::Add(hn::Mul(last, high), high), offset);
    const auto symbol = hn::GatherIndex(di32, view.symbols, hn::BitCast(di32, entry));
    const auto marker = hn::RebindMask(du32, hn::Eq(symbol, hn::Set(di32, kEscapeMarker)));
    markers = hn::Or(markers, marker);
    hn::StoreU(hn::DemoteTo(hn::Rebind<int16_t, DU32>(), symbol), hn::Rebind<int16_t, DU32>(),
               out + v * kVectorLanes);
  }
  HWY_UNROLL(kVectors)
  for (size_t v = 0; v < kVectors; ++v) {
    const auto low = hn::Eq(hn::ShiftRight<16>(state[v]), hn::Zero(du32));
    const VU32 next = TakeWords(words, low);
    state[v] = hn::IfThenElse(low, hn::Or(hn::ShiftLeft<16>(state[v]), next), state[v]);
  }
}

DecodeOutcome DecodeLanes(const DecodeView& view, const TableNumbers& tables, size_t count,
                          const uint16_t* words, const uint16_t* words_end, LaneStates& states,
                          int16_t* out) {
  VU32 state[kVectors];
  for (size_t v = 0; v < kVectors; ++v) state[v] = hn::Load(du32, states.state + v * kVectorLanes);
  auto markers = hn::FirstN(du32, 0);
  if (tables.numbers) {
    for (size_t i = 0; i < count && words <= words_end; i += kLaneCount) {
      const auto load = [&](size_t v) HWY_ATTR {
        return hn::PromoteTo(du32, hn::LoadU(DU8(), tables.numbers + i + v * kVectorLanes));
      };
      DecodeGroup(view, load, words, state, markers, out + i);
    }
  } else {
    const uint32_t step = kLaneCount % tables.cycle_count;
    uint32_t phase = tables.phase;
    for (size_t i = 0; i < count && words <= words_end; i += kLaneCount) {
      const auto load = [&](size_t v) HWY_ATTR {
        return hn::LoadU(du32, tables.cycle + phase + v * kVectorLanes);
      };
      DecodeGroup(view, load, words, state, markers, out + i);
      phase += step;
      if (phase >= tables.cycle_count) phase -= tables.cycle_count;
    }
  }
  for (size_t v = 0; v < kVectors; ++v) hn::Store(state[v], du32, states.state + v * kVectorLanes);
  return {words, !hn::AllFalse(du32, markers)};
}

// floor(x / f) for x < f << 20 and 1 <= f <= 2^16. The estimate's error is below 1/8 for rounding (three roundings of 2^-24
// on a quotient below 2^20) plus 1/f for the bit that x loses (none at f = 1, where x < 2^20 is exact but for that bit), so the
// floor is wrong by at most one, which the remainder shows.
HWY_INLINE VU32 Divide(VU32 x, VU32 f, VU32& remainder) {
  const auto half_x = hn::ConvertTo(df32, hn::BitCast(di32, hn::ShiftRight<1>(x)));
  const auto real_f = hn::ConvertTo(df32, hn::BitCast(di32, f));
  const auto estimate = hn::ConvertTo(di32, hn::Div(hn::Add(half_x, half_x), real_f));
  VU32 q = hn::BitCast(du32, estimate);
  VU32 r = hn::Sub(x, hn::Mul(q, f));
  const VU32 one = hn::Set(du32, 1);
  const auto high = hn::RebindMask(du32, hn::Lt(hn::BitCast(di32, r), hn::Zero(di32)));
  q = hn::IfThenElse(high, hn::Sub(q, one), q);
  r = hn::IfThenElse(high, hn::Add(r, f), r);
  const auto low = hn::Not(GtSmall(f, r));
  q = hn::IfThenElse(low, hn::Add(q, one), q);
  remainder = hn::IfThenElse(low, hn::Sub(r, f), r);
  return q;
}

uint16_t* EncodeLanes(const uint32_t* slots, size_t count, int prob_bits, LaneStates& states,
                      uint16_t* words_end) {
  VU32 state[kVectors];
  for (size_t v = 0; v < kVectors; ++v) state[v] = hn::Load(du32, states.state + v * kVectorLanes);
  const VU32 low_half = hn::Set(du32, 0xFFFF);
  for (size_t i = count; i > 0; i -= kLaneCount) {
    HWY_UNROLL(kVectors)
    for (size_t v = kVectors; v-- > 0;) {
      const VU32 packed = hn::LoadU(du32, slots + i - kLaneCount + v * kVectorLanes);
      const VU32 f = hn::Add(hn::ShiftRight<16>(packed), hn::Set(du32, 1));
      const auto full = hn::Not(GtSmall(f, hn::ShiftRightSame(state[v], 32 - prob_bits)));
      PutWords(words_end, state[v], full);
      const VU32 x = hn::IfThenElse(full, hn::ShiftRight<16>(state[v]), state[v]);
      VU32 remainder;
      const VU32 q = Divide(x, f, remainder);
      state[v] =
          hn::Add(hn::Add(hn::ShiftLeftSame(q, prob_bits), remainder), hn::And(packed, low_half));
    }
  }
  for (size_t v = 0; v < kVectors; ++v) hn::Store(state[v], du32, states.state + v * kVectorLanes);
  return words_end;
}

#endif

}  // namespace lichen::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lichen {
HWY_EXPORT(DecodeLanes);
HWY_EXPORT(EncodeLanes);

DecodeOutcome DecodeLanesSimd(const DecodeView& view, const TableNumbers& tables, size_t count,
                              const uint16_t* words, const uint16_t* words_end, LaneStates& states,
                              int16_t* out) {
  return HWY_DYNAMIC_DISPATCH(DecodeLanes)(view, tables, count, words, words_end, states, out);
}

uint16_t* EncodeLanesSimd(const uint32_t* slots, size_t count, int prob_bits, LaneStates& states,
                          uint16_t* words_end) {
  return HWY_DYNAMIC_DISPATCH(EncodeLanes)(slots, count, prob_bits, states, words_end);
}
}  // namespace lichen
#endif

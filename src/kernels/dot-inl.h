// Dot products of 16-bit pairs and 8-bit quads into 32-bit lanes: the one place that knows VNNI.
//
// Contract: exact modulo 2^32 on every CPU target, so a sum whose final value fits 32 bits is right
// whatever its intermediate values were. Included once per target (Highway's foreach_target).

#if defined(LICHEN_KERNELS_DOT_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LICHEN_KERNELS_DOT_INL_H_
#undef LICHEN_KERNELS_DOT_INL_H_
#else
#define LICHEN_KERNELS_DOT_INL_H_
#endif

#include <cstdint>
#include <cstring>

#include "hwy/highway.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using DI32 = hn::ScalableTag<int32_t>;
using VI32 = hn::Vec<DI32>;

// acc[i] += a[2i] * b[2i] + a[2i+1] * b[2i+1], with a and b as 16-bit signed.
HWY_INLINE VI32 DotPairs(VI32 acc, VI32 a, VI32 b) {
#if HWY_TARGET == HWY_AVX3_DL
  // Highway's AVX3_DL includes VNNI in its run-time check but not in its compiler flags.
  asm("vpdpwssd %2, %1, %0" : "+v"(acc.raw) : "v"(a.raw), "v"(b.raw));
  return acc;
#elif HWY_TARGET == HWY_AVX3
  return VI32{_mm512_add_epi32(acc.raw, _mm512_madd_epi16(a.raw, b.raw))};
#elif HWY_TARGET == HWY_AVX2
  return VI32{_mm256_add_epi32(acc.raw, _mm256_madd_epi16(a.raw, b.raw))};
#elif HWY_TARGET == HWY_SSE4 || HWY_TARGET == HWY_SSSE3
  return VI32{_mm_add_epi32(acc.raw, _mm_madd_epi16(a.raw, b.raw))};
#elif HWY_TARGET == HWY_SCALAR
  const auto low = [](int32_t v) { return static_cast<int32_t>(static_cast<int16_t>(v)); };
  const uint32_t sum = static_cast<uint32_t>(low(a.raw) * low(b.raw)) +
                       static_cast<uint32_t>((a.raw >> 16) * (b.raw >> 16));
  return VI32{static_cast<int32_t>(static_cast<uint32_t>(acc.raw) + sum)};
#else
#error "DotPairs has no body for this CPU target"
#endif
}

// acc[i] += sum of four a[4i+j] * b[4i+j], with a unsigned and b signed 8-bit.
HWY_INLINE VI32 DotQuads(VI32 acc, VI32 a, VI32 b) {
#if HWY_TARGET == HWY_AVX3_DL
  asm("vpdpbusd %2, %1, %0" : "+v"(acc.raw) : "v"(a.raw), "v"(b.raw));
  return acc;
#elif HWY_TARGET == HWY_SCALAR
  uint32_t sum = static_cast<uint32_t>(acc.raw);
  for (int j = 0; j < 4; ++j) {
    const int32_t u = static_cast<uint8_t>(a.raw >> (8 * j));
    sum += static_cast<uint32_t>(u * static_cast<int8_t>(b.raw >> (8 * j)));
  }
  return VI32{static_cast<int32_t>(sum)};
#else
  // Even and odd bytes as 16-bit pairs. vpmaddubsw would saturate.
  const DI32 d32;
  const hn::Repartition<int16_t, DI32> d16;
  const hn::Repartition<uint16_t, DI32> du16;
  const auto a16 = hn::BitCast(du16, a);
  const auto b16 = hn::BitCast(d16, b);
  const auto a_even = hn::And(a16, hn::Set(du16, uint16_t{0x00FF}));
  const auto a_odd = hn::ShiftRight<8>(a16);
  const auto b_even = hn::ShiftRight<8>(hn::ShiftLeft<8>(b16));
  const auto b_odd = hn::ShiftRight<8>(b16);
  acc = DotPairs(acc, hn::BitCast(d32, a_even), hn::BitCast(d32, b_even));
  return DotPairs(acc, hn::BitCast(d32, a_odd), hn::BitCast(d32, b_odd));
#endif
}

HWY_INLINE VI32 BroadcastI32(const uint8_t* p) {
  int32_t bits;
  std::memcpy(&bits, p, sizeof(bits));
  return hn::Set(DI32(), bits);
}

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#endif

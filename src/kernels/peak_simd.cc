#include "kernels/peak.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/peak_simd.cc"
#include "hwy/foreach_target.h"
#include "hwy/highway.h"
#include "kernels/dot-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lichen {
namespace HWY_NAMESPACE {

int64_t Int16Peak(int64_t iterations) {
  // As many as the registers hold; more would go through memory.
  constexpr int kSums = HWY_TARGET == HWY_AVX3_DL || HWY_TARGET == HWY_AVX3 ? 16 : 8;
  const DI32 d;
  VI32 sum[kSums];
  VI32 a = hn::Set(d, 0x00030005);
  const VI32 b = hn::Set(d, 0x00070001);
  for (int i = 0; i < kSums; ++i) sum[i] = hn::Set(d, i);
  for (int64_t n = 0; n < iterations; ++n) {
    // A new operand each time, else products of targets without VNNI would be made only once.
#pragma GCC unroll 16
    for (int i = 0; i < kSums; ++i) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR
      asm volatile("" : "+v"(a.raw));
#elif HWY_ARCH_X86
      asm volatile("" : "+r"(a.raw));
#endif
      sum[i] = DotPairs(sum[i], a, b);
    }
  }
  VI32 total = sum[0];
  for (int i = 1; i < kSums; ++i) total = hn::Add(total, sum[i]);
  volatile int32_t sink = hn::GetLane(total);
  (void)sink;
  return iterations * kSums * static_cast<int64_t>(hn::Lanes(d)) * 2;
}

}  // namespace HWY_NAMESPACE
}  // namespace lichen
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lichen {
HWY_EXPORT(Int16Peak);
int64_t RunInt16Peak(int64_t iterations) { return HWY_DYNAMIC_DISPATCH(Int16Peak)(iterations); }
}  // namespace lichen
#endif

#include "train/lagc_kernel.h"

#include <bit>

// The same loop for several instruction sets; the loader picks one.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define LICHEN_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define LICHEN_CLONES
#endif
#define LICHEN_INLINE inline __attribute__((always_inline))

namespace lichen {
namespace {

LICHEN_INLINE float Load(float value) { return value; }
LICHEN_INLINE float Load(uint16_t value) {
  return std::bit_cast<float>(static_cast<uint32_t>(value) << 16);
}
LICHEN_INLINE void Store(float value, float& out) { out = value; }
// Rounds to nearest even; what is not a number may become infinite.
LICHEN_INLINE void Store(float value, uint16_t& out) {
  const auto bits = std::bit_cast<uint32_t>(value);
  out = static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

template <class T>
LICHEN_INLINE void Forward(int64_t pixels, int64_t channels, const T* x, const T* t, const float* w,
                           const float* c, T* y) {
  for (int64_t p = 0; p < pixels; ++p) {
#pragma GCC ivdep
    for (int64_t i = 0; i < channels; ++i) {
      const int64_t at = p * channels + i;
      Store(Load(x[at]) * (1 + c[i] + w[i] * Load(t[at])), y[at]);
    }
  }
}

template <class T>
LICHEN_INLINE void Backward(int64_t pixels, int64_t channels, const T* gy, const T* x, const T* t,
                            const float* w, const float* c, T* gx, T* gu, float* gw, float* gc) {
  for (int64_t p = 0; p < pixels; ++p) {
#pragma GCC ivdep
    for (int64_t i = 0; i < channels; ++i) {
      const int64_t at = p * channels + i;
      const float g = Load(gy[at]);
      const float tanh = Load(t[at]);
      const float gain = g * Load(x[at]);  // gradient of the gate
      Store(g * (1 + c[i] + w[i] * tanh), gx[at]);
      Store(gain * w[i] * (1 - tanh * tanh), gu[at]);
      gw[i] += gain * tanh;
      gc[i] += gain;
    }
  }
}

}  // namespace

LICHEN_CLONES void LagcGateForward(int64_t pixels, int64_t channels, const float* x, const float* t,
                                   const float* w, const float* c, float* y) {
  Forward(pixels, channels, x, t, w, c, y);
}

LICHEN_CLONES void LagcGateForward(int64_t pixels, int64_t channels, const uint16_t* x,
                                   const uint16_t* t, const float* w, const float* c, uint16_t* y) {
  Forward(pixels, channels, x, t, w, c, y);
}

LICHEN_CLONES void LagcGateBackward(int64_t pixels, int64_t channels, const float* gy,
                                    const float* x, const float* t, const float* w, const float* c,
                                    float* gx, float* gu, float* gw, float* gc) {
  Backward(pixels, channels, gy, x, t, w, c, gx, gu, gw, gc);
}

LICHEN_CLONES void LagcGateBackward(int64_t pixels, int64_t channels, const uint16_t* gy,
                                    const uint16_t* x, const uint16_t* t, const float* w,
                                    const float* c, uint16_t* gx, uint16_t* gu, float* gw,
                                    float* gc) {
  Backward(pixels, channels, gy, x, t, w, c, gx, gu, gw, gc);
}

}  // namespace lichen

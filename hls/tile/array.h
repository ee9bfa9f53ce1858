// The array: in every pixel lane and lane, sum += sum over i of x[pixel][i] * w[lane][i].
#pragma once

#include "types.h"

namespace tile_hls {

// One product per DSP, accumulated in 48 bits.
inline void AddProducts16(const Operand x[kPixels][kPif], const Weight w[kPof * kPif],
                          bool is_first, Sum sums[kPixels][kPof]) {
#pragma HLS INLINE
  for (int p = 0; p < kPixels; ++p) {
#pragma HLS UNROLL
    for (int l = 0; l < kPof; ++l) {
#pragma HLS UNROLL
      Sum sum = is_first ? Sum(0) : sums[p][l];
      for (int i = 0; i < kPif; ++i) {
#pragma HLS UNROLL
        sum += x[p][i] * w[l * kPif + i];
      }
      sums[p][l] = sum;
    }
  }
}

// Two products per DSP: x times w[l + 1] * 2^18 + w[l] holds both, 18 bits apart. |x * w| < 2^15, so the lower field
// takes up to 4 of them.
inline void AddProducts8(const Operand x[kPixels][kPif], const Weight w[kPof * kPif], bool is_first,
                         Sum sums[kPixels][kPof]) {
#pragma HLS INLINE
  const int length = Least(kPif, 4);
  for (int p = 0; p < kPixels; ++p) {
#pragma HLS UNROLL
    for (int l = 0; l < kPof; l += 2) {
#pragma HLS UNROLL
      Sum low = is_first ? Sum(0) : sums[p][l];
      Sum high = is_first ? Sum(0) : sums[p][l + 1];
      for (int c = 0; c < kPif; c += length) {
#pragma HLS UNROLL
        ap_int<48> cascade = 0;
        for (int i = c; i < c + length; ++i) {
#pragma HLS UNROLL
          const ap_int<27> pair = (ap_int<27>(w[(l + 1) * kPif + i]) << 18) + w[l * kPif + i];
          cascade += pair * x[p][i];
        }
        // The upper field is one too small where the lower one is negative.
        const ap_int<18> low_field = cascade.range(17, 0);
        const ap_int<19> high_field = cascade.range(36, 18);
        low += low_field;
        high += high_field + ap_uint<1>(low_field < 0);
      }
      sums[p][l] = low;
      sums[p][l + 1] = high;
    }
  }
}

inline void AddProducts(const Operand x[kPixels][kPif], const Weight w[kPof * kPif], bool is_first,
                        Sum sums[kPixels][kPof]) {
#pragma HLS INLINE
  if (kOperandBits == 8) {
    AddProducts8(x, w, is_first, sums);
  } else {
    AddProducts16(x, w, is_first, sums);
  }
}

}  // namespace tile_hls

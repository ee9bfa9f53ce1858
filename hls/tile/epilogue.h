// What finishes a sum: the requantiser, GDN's quotient and IGDN's product (docs/numerics.md).
#pragma once

#include "instruction.h"

namespace tile_hls {

// A record of a channel, and the constants that all channels share.
struct ChannelRecord {
  ap_int<48> bias;
  ap_int<32> multiplier;  // 18 bits but for GDN's output
  ap_uint<6> pre_shift;
};
struct Constants {
  ap_int<32> min, max;
  ap_uint<6> post_shift;
};

inline ChannelRecord ReadRecord(const Record& record) {
#pragma HLS INLINE
  ChannelRecord r;
  r.bias = record.range(47, 0);
  r.multiplier = record.range(95, 64);
  r.pre_shift = record.range(101, 96);
  return r;
}

inline Constants ReadConstants(const Record& record) {
#pragma HLS INLINE
  Constants c;
  c.min = record.range(31, 0);
  c.max = record.range(63, 32);
  c.post_shift = record.range(69, 64);
  return c;
}

// clamp((((acc * multiplier) >> pre_shift) + bias + half) >> post_shift, min, max), exact where |acc * multiplier| and
// the sum are below 2^62.
inline ap_int<32> Requantise(ap_int<48> acc, const ChannelRecord& r, const Constants& c) {
#pragma HLS INLINE
  const ap_int<64> product = acc * ap_int<18>(r.multiplier);
  const ap_int<64> half = (ap_uint<64>(1) << c.post_shift) >> 1;
  const ap_int<64> sum = (product >> r.pre_shift) + r.bias + half;
  const ap_int<64> result = sum >> c.post_shift;
  return result < c.min ? c.min : result > c.max ? c.max : ap_int<32>(result);
}

// clamp(floor((2 * product + norm) / (2 * norm)), min, max) = clamp(floor((product + floor(norm / 2)) / norm), ...).
// |product| < 2^47, 1 <= norm <= 2^24, bounds within [-2^15, 2^15) or within [0, 2^16): 16 steps of restoring division
// are enough after adding 2^15 * norm where results may be negative; what is left of [0, 2^16) saturates.
inline ap_int<17> GdnQuotient(ap_int<48> product, ap_uint<25> norm, const Constants& c) {
#pragma HLS INLINE
  const ap_int<17> min = c.min;
  const ap_int<17> max = c.max;
  const bool is_signed = min < 0;
  ap_int<50> numerator = product + (norm >> 1);
  if (is_signed) numerator += ap_int<50>(norm) << 15;
  if (numerator < 0) return min;
  if ((numerator >> 16) >= norm) return max;
  ap_uint<25> rest = numerator >> 16;
  ap_uint<16> quotient = numerator;  // still the numerator's low bits, which leave it one by one
  for (int step = 0; step < 16; ++step) {
#pragma HLS UNROLL
    const ap_uint<26> shifted = (ap_uint<26>(rest) << 1) + quotient[15];
    const bool fits = shifted >= norm;
    rest = fits ? ap_uint<25>(shifted - norm) : ap_uint<25>(shifted);
    quotient = (quotient << 1) + ap_uint<1>(fits);
  }
  const ap_int<18> value = quotient - (is_signed ? ap_uint<16>(1 << 15) : ap_uint<16>(0));
  return value < min ? min : value > max ? max : ap_int<17>(value);
}

// The result of a sum: a convolution's, or with the sum's norm GDN's or IGDN's of x.
inline Value Finish(ap_uint<2> kind, ap_int<48> sum, Value x, const ChannelRecord& first,
                    const ChannelRecord& second, const Constants& first_constants,
                    const Constants& second_constants) {
#pragma HLS INLINE
  const ap_int<32> scaled = Requantise(sum, first, first_constants);
  const ap_uint<25> norm = scaled;
  const ap_int<33> factor = kind == kGdn ? ap_int<33>(second.multiplier) : ap_int<33>(norm);
  const ap_int<48> product = x * factor;
  if (kind == kGdn) return GdnQuotient(product, norm, second_constants);
  if (kind == kIgdn) return Requantise(product, second, second_constants);
  return scaled;
}

}  // namespace tile_hls

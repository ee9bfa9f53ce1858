// What follows a sum of products: scale, bias, shift and saturation, or a bias alone in the last layer.
#pragma once

#include "stream_ops.hpp"

namespace mixq {

constexpr int Log2Ceil(int value) {
  int bits = 0;
  while ((1 << bits) < value) ++bits;
  return bits;
}
constexpr int Larger(int a, int b) { return a > b ? a : b; }

// Bits that hold any sum of `terms` products of a signed weight and an unsigned activation.
constexpr int SumBits(int weight_bits, int in_bits, int terms) {
  return weight_bits + in_bits + Log2Ceil(terms);
}

// In place of the multipliers of a layer that has none.
struct NoIncrement {};

// (acc * inc + bias + half) >> Shift, saturated to unsigned OutBits. All of it stays below 2^62.
template <int OutBits, int Shift, int AccBits, int IncBits, int BiasBits>
ap_uint<OutBits> Activate(const ap_int<AccBits>& acc, const ap_int<IncBits>& inc,
                          const ap_int<BiasBits>& bias) {
  const ap_int<64> kMax = (1 << OutBits) - 1;
  const ap_int<64> scaled = acc * inc;
  const ap_int<64> value = (scaled + bias + Half<Shift>()) >> Shift;
  return value < 0 ? ap_uint<OutBits>(0) : ap_uint<OutBits>(value > kMax ? kMax : value);
}

// acc + bias in two's complement.
template <int OutBits, int Shift, int AccBits, int BiasBits>
ap_uint<OutBits> Activate(const ap_int<AccBits>& acc, const NoIncrement&,
                          const ap_int<BiasBits>& bias) {
  return ap_uint<OutBits>(acc + bias);
}

// Element [pe][fold] of the parameters of a convolution, [channel] of those of a linear layer.
template <int Bits, int Pe, int Folds>
ap_int<Bits> At(const ap_int<Bits> (&values)[Pe][Folds], int pe, int fold) {
  return values[pe][fold];
}
inline NoIncrement At(const NoIncrement& none, int, int) { return none; }
template <int Bits, int Channels>
ap_int<Bits> At(const ap_int<Bits> (&values)[Channels], int channel) {
  return values[channel];
}
inline NoIncrement At(const NoIncrement& none, int) { return none; }

}  // namespace mixq

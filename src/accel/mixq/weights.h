// Weights in the packed order of DeepBurning-MixQ's HLS library (docs/formats.md, mixq-hls).
//
// Contract: the network has its foldings. A word's lane 0 lies at its lowest bits; every lane has the layer's weight_bits,
// two's complement.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/mixq/network.h"

namespace lichen::mixq {

// An array of C++: its axes, outermost first, and its elements in that order.
struct PackedWeights {
  std::vector<int64_t> shape;  // of words
  int word_bits = 0;
  std::vector<std::string> words;  // "0x1f"
};

PackedWeights Pack(const Network& network, const Layer& layer);

// config.h: what every layer is, as macros.
std::string ConfigHeader(const Network& network);
// weights.hpp: conv_N_w, conv_N_inc, conv_N_bias and linear_N_w, ...
std::string WeightsHeader(const Network& network);

}  // namespace lichen::mixq

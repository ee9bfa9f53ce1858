// Proves that a network is well formed and that no integer in it can overflow.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "net/float_net.h"
#include "net/int_net.h"

namespace lichen {

// What CheckIntNet proved of one node with products (Conv2d, ConvTranspose2d, Linear, Gdn, Igdn,
// Lagc). Bounds follow from the weights and the ranges of the inputs, over all channels.
struct AccumulatorProof {
  std::string graph;
  std::string node;         // name of its output tensor
  int32_t weight_bits = 0;  // signed bits that hold every weight
  int32_t input_bits = 0;   // bits that hold the input's range
  int64_t min = 0;          // smallest and largest possible accumulator
  int64_t max = 0;
  int64_t products = 0;             // per output value (all taps)
  int32_t segments = 1;             // parts of the sum, each of which fits 32 bits; worst channel
  double products_per_segment = 0;  // averaged over channels
  double headroom_bits = 0;         // log2(2^62 / largest intermediate of the requantiser)
};

// Everything the engine, the simulators and the emitters rely on: unique and legal names, ids in range, topological
// order, parameter counts, shifts in [0, 63], ranges ordered and within 32 bits, weights of masked blocks 0, tables that cover
// their input, the accumulator proof, |acc * m| and the sum with bias and half below 2^62,
// |x * m| < 2^47 and norm range within [1, 2^24] for GDN. Errors name graph and node.
Result<std::vector<AccumulatorProof>> CheckIntNet(const IntNet& net,
                                                  const Threads& threads = Threads(1));
Result<void> CheckFloatNet(const FloatNet& net);

}  // namespace lichen

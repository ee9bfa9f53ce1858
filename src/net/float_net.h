// The float network: what training or import gives and the quantiser reads.
//
// Contract: plain data; CheckFloatNet() (net/check.h) must accept it before anything runs it.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "net/graph.h"

namespace lichen {

// Which parameters an operator uses:
//   Conv2d, ConvTranspose2d, Linear   weights, bias
//   Gdn, Igdn   weights = gamma [c][1][1][j], bias = beta
//   Lagc        weights = A [c][1][1][j], bias = b, gain = w, gain_bias = c
//   LeakyRelu   slope
//   Requant     gain (scale), bias, per channel
//   Lut         table, table_first: table[round(x) - table_first], saturating
struct FloatParams {
  std::vector<float> weights;  // OHWI: [out][ky][kx][in / groups]
  std::vector<float> bias;     // one per output channel, or empty for 0
  std::vector<float> gain;
  std::vector<float> gain_bias;
  std::vector<float> table;
  int64_t table_first = 0;
  float slope = 0;
};

using FloatNode = Node<FloatParams>;
using FloatGraph = Graph<FloatParams>;

struct FloatNet {
  std::vector<FloatGraph> graphs;
  int32_t size_multiple = 1;  // as LatentCoding::size_multiple
  std::map<std::string, std::string> metadata;

  const FloatGraph* Find(std::string_view name) const;
};

}  // namespace lichen

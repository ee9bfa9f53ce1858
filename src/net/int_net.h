// The integer network: the truth that codec, simulators and RTL compute bit for bit.
//
// Contract: plain data; CheckIntNet() (net/check.h) must accept it before anything runs it.
// Arithmetic: docs/numerics.md and the reference kernels.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/probability_table.h"
#include "base/requantise.h"
#include "net/graph.h"

namespace lichen {

// Which parameters an operator uses:
//   Conv2d, ConvTranspose2d, Linear   weights, weight_bits, requant, mask
//   Gdn    weights = gamma [c][1][1][j], requant (sum gamma*|x| -> norm), inner_range (norm),
//          output_requant.multiplier: q = clamp(GdnQuotient(x, multiplier[c], norm))
//   Igdn   the same, q = Requantise(x * norm, output_requant)
//   Lagc   weights = A [c][1][1][j]; u = Requantise(A x, requant) in inner_range;
//          v = table[u - table_first]; g = Requantise(v, gain_requant) in gain_range;
//          q = Requantise(x * g, output_requant)
//   Lut    table, table_first
//   LeakyRelu  slope_shift
//   Requant    requant
struct IntParams {
  std::vector<int16_t> weights;  // OHWI: [out][ky][kx][in / groups]
  int32_t weight_bits = 0;       // the width that the weights were quantised to
  ChannelRequant requant;
  ValueRange inner_range;
  ChannelRequant gain_requant;
  ValueRange gain_range;
  ChannelRequant output_requant;
  std::vector<int32_t> table;
  int64_t table_first = 0;
  int32_t slope_shift = 0;
  // Block-sparse convolution: blocks of mask_block out x mask_block in channels that are all on (1)
  // or all off (0), [out block][ky][kx][in block]; weights of blocks that are off are 0. Empty: dense.
  int32_t mask_block = 0;
  std::vector<uint8_t> mask;
};

using IntNode = Node<IntParams>;
using IntGraph = Graph<IntParams>;

// How latents become symbols: symbol = clamp((y - mean + half) >> latent_shift, symbol_range),
// y_hat = (symbol << latent_shift) + mean, with half = 2^(latent_shift - 1) and mean 0 where there is no context. The mean
// (even channels) and the table index (odd channels, clamped to [0, index_max]) come from the
// graphs `context` and `entropy_parameters`, row by row.
struct LatentCoding {
  int32_t latent_shift = 0;
  ValueRange symbol_range = {-32768, 32767};
  int32_t index_max = 0;
  // Pictures are padded (edge replicated) to a multiple of this before the analysis.
  int32_t size_multiple = 1;
  bool operator==(const LatentCoding&) const = default;
};

struct IntNet {
  std::vector<IntGraph> graphs;
  std::vector<TableSet> tables;
  LatentCoding coding;
  std::map<std::string, std::string> metadata;  // not part of the identity: source, licence, ...

  const IntGraph* Find(std::string_view name) const;
  const TableSet* FindTables(std::string_view name) const;
};

}  // namespace lichen

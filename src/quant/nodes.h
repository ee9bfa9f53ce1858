// Quantises the parameters of one node, between tensors whose ranges and scales are chosen.
//
// Contract: `tensors` are the graph's, from ChooseRanges(). Error: names nothing (the caller does).
#pragma once

#include <vector>

#include "base/result.h"
#include "net/float_net.h"
#include "net/int_net.h"
#include "quant/gram.h"
#include "quant/ranges.h"

namespace lichen {

struct NodeOptions {
  int weight_bits = 16;
  int64_t products_per_segment = 512;
  const Gram* gram = nullptr;  // optional, of this node
};

// Largest norms: of Gdn, where it only divides, and of Igdn, where x * norm should fit 32 bits.
inline constexpr int64_t kMaxGdnNorm = (int64_t{1} << 22) - 1;
inline constexpr int64_t kMaxIgdnNorm = (int64_t{1} << 16) - 1;

// The integer node; a LeakyRelu of slope 0 becomes a Clamp.
Result<IntNode> QuantiseNode(const FloatGraph& graph, size_t node_index,
                             const std::vector<TensorInfo>& tensors,
                             const GraphStatistics& statistics, const NodeOptions& options);

}  // namespace lichen

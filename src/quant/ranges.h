// Chooses range and scale of every tensor of a graph from its statistics.
//
// Contract: operators that move values (LeakyRelu, Add, Concat, MaxPool, DepthToSpace,
// SpaceToDepth, Clamp) compute on raw integers, so the channels that they connect share a scale.
// What only feeds a ReLU, and what is never below 0 by construction, gets an unsigned range.
#pragma once

#include <map>
#include <vector>

#include "base/result.h"
#include "net/float_net.h"
#include "quant/statistics.h"

namespace lichen {

// What CollectStatistics() gathers of one graph.
struct GraphStatistics {
  std::vector<TensorStatistics> tensors;  // by TensorId
  std::vector<TensorStatistics> norms;    // by node: the norm of Gdn and Igdn; else empty
};

// A tensor whose range and scale are given from outside.
struct FixedTensor {
  ValueRange range;
  double scale = 1;
};

struct RangeOptions {
  int default_bits = 16;
  std::map<int32_t, int> tensor_bits;    // by TensorId: exceptions
  std::map<int32_t, FixedTensor> fixed;  // by TensorId
  std::vector<TensorId> per_tensor;      // one scale for all their channels
  double margin = 2;
  double percentile = 100;  // 0: the least square error
};

// `graph.tensors` with range and scale filled in. Error: names a tensor whose scale is fixed twice.
Result<std::vector<TensorInfo>> ChooseRanges(const FloatGraph& graph,
                                             const GraphStatistics& statistics,
                                             const RangeOptions& options);

// True for LeakyRelu with slope 0 and for Clamp from 0 on: below 0 everything becomes 0.
bool IsRelu(const FloatGraph& graph, const FloatNode& node);

}  // namespace lichen

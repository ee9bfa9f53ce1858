// The part of the check that integer and float networks share: names, indices, order, geometry and
// channel counts.
//
// Contract: on success every index is in range, nodes stand in topological order, each tensor has
// one writer, parameters that hold weights have the size that Geometry and channels ask for, and all
// bounds of net/limits.h hold. Errors name graph and node.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "net/float_net.h"
#include "net/int_net.h"

namespace lichen {

// Which fields of Params an operator uses; the others must keep their defaults.
struct FieldUse {
  bool weights = false;
  bool mask = false;
  bool slope = false;
  bool table = false;
  bool lagc = false;  // gain and output requantisers, or gain and gain_bias
};
FieldUse FieldsOf(OpKind kind);

// "graph analysis, node g_a.0 (Conv2d)".
template <class Params>
std::string PlaceOf(const Graph<Params>& graph, const Node<Params>& node) {
  const int64_t output = node.output.index;
  const bool is_known = output >= 0 && output < static_cast<int64_t>(graph.tensors.size());
  return fmt::format("graph {}, node {} ({})", graph.name,
                     is_known ? graph.tensor(node.output).name : "?", Name(node.kind));
}

// Weights that the node needs: [out][kernel_h][kernel_w][in / groups].
int64_t WeightCount(OpKind kind, const Geometry& g, int64_t in, int64_t out);

template <class Params>
Result<void> CheckGraphs(const std::vector<Graph<Params>>& graphs);
extern template Result<void> CheckGraphs(const std::vector<IntGraph>& graphs);
extern template Result<void> CheckGraphs(const std::vector<FloatGraph>& graphs);

}  // namespace lichen

// Runs an IntNet graph on whole tensors with the reference kernels: the definition of its bits.
//
// Contract: slow and obvious; for tests and small pictures. The graph must have passed CheckIntNet;
// input values must lie within their tensors' ranges.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "net/int_net.h"

namespace lichen {

// Every tensor of the graph, by TensorId, for the given tensors of graph.inputs. `reference` is the
// picture's size (net/shapes.h).
Result<std::vector<Tensor<int32_t>>> RunReference(const IntGraph& graph,
                                                  std::vector<Tensor<int32_t>> inputs,
                                                  Size2 reference = {});

}  // namespace lichen

// The layers of a graph as the tile engine sees them: a convolution and what is fused behind it.
//
// Contract: InferLayers() takes what the engine can run and refuses the rest by name. Numbers of
// one layer are independent of any design.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "net/int_net.h"

namespace lichen::tile {

// One axis of a convolution as an ordinary one: output o needs rows [o * stride - pad,
// o * stride - pad + taps). A transposed convolution gives `phases` outputs for each o.
struct Axis {
  int64_t input = 0;
  int64_t output = 0;  // of the layer; phases included
  int64_t taps = 0;
  int64_t stride = 1;
  int64_t pad = 0;
  int64_t phases = 1;
  // Transposed: which taps the phase has, [first, last], and the kernel index of each.
  struct Phase {
    int64_t first_tap = 0;
    int64_t last_tap = 0;
    std::vector<int64_t> kernel;  // [tap], -1: none
  };
  std::vector<Phase> phase;
  // Phases in the order in which lanes hold them; for rows those with few taps first.
  std::vector<int64_t> order;
  // Outputs of the ordinary convolution.
  int64_t Positions() const { return (output + phases - 1) / phases; }
};

struct Layer {
  std::string name;  // of its last node
  const IntNode* convolution = nullptr;
  const IntNode* norm = nullptr;  // Gdn or Igdn behind it, or none
  TensorId input;
  TensorId output;
  bool is_transposed = false;
  int64_t input_channels = 0;
  int64_t output_channels = 0;
  Axis y;
  Axis x;
  int64_t macs = 0;  // useful ones, of both nodes
};

// Layers in the order of the nodes, for inputs and outputs of these sizes (net/shapes.h).
// Error: names the node that the engine cannot run, and why.
Result<std::vector<Layer>> InferLayers(const IntGraph& graph, Size2 input, Size2 reference);

}  // namespace lichen::tile

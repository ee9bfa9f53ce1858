// The layers of a graph as the fusion machine sees them: a convolution and the pool behind it.
//
// Contract: InferLayers() takes what the machine can run and refuses the rest by name. What stands
// before the first convolution is the host's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "net/int_net.h"

namespace lichen::fusion {

struct Layer {
  std::string name;               // of its last node's tensor
  const IntNode* node = nullptr;  // Conv2d or Linear
  const IntNode* pool = nullptr;  // MaxPool whose stride is its window, or none
  TensorId input;
  TensorId output;
  Size2 input_size;
  Size2 sums_size;    // of the convolution's results
  Size2 output_size;  // after the pool
  int64_t input_channels = 0;
  int64_t output_channels = 0;
  int64_t input_bits = 0;
  bool is_input_signed = false;
  int64_t weight_bits = 0;  // that the weights need, signed
  int64_t output_bits = 0;
  bool is_output_signed = false;
  int64_t macs = 0;  // taps on padding included

  int64_t PoolSize() const { return pool ? pool->geometry.kernel_h : 1; }
};

// Error: names the node that the machine cannot run, and why.
Result<std::vector<Layer>> InferLayers(const IntGraph& graph, Size2 input);

}  // namespace lichen::fusion

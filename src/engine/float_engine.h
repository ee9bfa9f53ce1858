// Runs a FloatNet graph, layer by layer on whole tensors.
//
// Contract: float32, NHWC, oneDNN for the convolutions. Memory grows with the picture's area: the
// float path serves import, calibration and comparison; the codec runs the integer engine.
#pragma once

#include <functional>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "base/threads.h"
#include "net/float_net.h"

namespace lichen {

struct FloatRunOptions {
  Size2 reference;  // the picture's size, for cropped transposed convolutions; {0, 0}: uncropped
  bool reference_kernels = false;  // run the *_ref kernels instead of oneDNN
  bool keep_all = false;  // keep every tensor; else those not in graph.outputs are freed after use
  // Called after each node with its output and the seconds it took.
  std::function<void(const FloatNode& node, const Tensor<float>& output, double seconds)> observer;
};

// The tensors of the graph by TensorId; freed ones are empty. `inputs` are those of graph.inputs.
// The graph must have passed CheckFloatNet.
Result<std::vector<Tensor<float>>> RunFloatGraph(const FloatGraph& graph,
                                                 std::vector<Tensor<float>> inputs,
                                                 const FloatRunOptions& options,
                                                 const Threads& threads);

}  // namespace lichen

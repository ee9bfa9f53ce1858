// Picture sizes through a graph.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "net/float_net.h"
#include "net/int_net.h"

namespace lichen {

// The size of every tensor (by TensorId) for the given sizes of graph.inputs, in their order.
// `reference` is the picture's size, used by transposed convolutions that are cropped; where it is
// {0, 0} they keep their full size stride * input. Error: names the node that cannot take its
// input (empty output, Add of different sizes, Linear of another size than its kernel, ...).
Result<std::vector<Size2>> InferSizes(const IntGraph& graph, const std::vector<Size2>& inputs,
                                      Size2 reference = {});
Result<std::vector<Size2>> InferSizes(const FloatGraph& graph, const std::vector<Size2>& inputs,
                                      Size2 reference = {});

// The size of every tensor of a model, by name, for a picture: `main` and `analysis` read the picture
// padded to a multiple of size_multiple (which is also the reference of cropped layers), other graphs
// the tensors that feed them; y_hat has the size of y, z_hat of z where nothing writes it. Graphs
// whose inputs nothing gives are left out.
Result<std::map<std::string, Size2>> InferModelSizes(const IntNet& net, Size2 picture);
Result<std::map<std::string, Size2>> InferModelSizes(const FloatNet& net, Size2 picture);

// Multiply-accumulates of one node for its output size (0 for operators without products). Taps that
// read padding count, masked blocks do not; a transposed convolution counts the taps it really has.
int64_t MacCount(const IntGraph& graph, const IntNode& node, Size2 output, Size2 input);
int64_t MacCount(const FloatGraph& graph, const FloatNode& node, Size2 output, Size2 input);

}  // namespace lichen

// A network graph: tensors, and nodes in the order in which they run.
//
// Contract: plain data, shared by FloatNet and IntNet, which differ in the parameters of a node
// (Params). Tensors and nodes name each other by index. Nodes stand in topological order and each
// tensor has one writer: a node, or the graph's caller for the tensors in `inputs`. A graph holds
// no picture size: InferSizes() (net/shapes.h) gives every tensor's size for a given input.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/geometry.h"
#include "base/requantise.h"

namespace lichen {

enum class OpKind : uint8_t {
  kConv2d = 0,           // cross-correlation, zero padding
  kConvTranspose2d = 1,  // its adjoint: out[o] = sum_k w[k] * x[(o + pad - k) / stride] where whole
  kDepthToSpace = 2,     // channel (dy * block + dx) * C + c goes to pixel (y * block + dy, ...)
  kSpaceToDepth = 3,     // its inverse
  kGdn = 4,              // x / (beta + sum gamma * |x|)
  kIgdn = 5,             // x * (beta + sum gamma * |x|)
  kLagc = 6,             // x * (1 + w * tanh(A x + b) + c)
  kLeakyRelu = 7,        // x below 0 is multiplied by 2^-slope_shift
  kAdd = 8,              // two inputs of one shape
  kConcat = 9,           // channels of all inputs, in order
  kMaxPool = 10,         // window kernel, step stride, no padding
  kLinear = 11,          // a convolution whose kernel is the whole input, which gives 1 x 1
  kLut = 12,             // table look-up, element by element
  kClamp = 13,           // to the output tensor's range
  kRequant = 14,         // integer: scale and bias per channel, element by element; float: the same
};
inline constexpr int kOpKindCount = 15;
std::string_view Name(OpKind kind);

struct TensorId {
  int32_t index = -1;
  bool operator==(const TensorId&) const = default;
};

struct TensorInfo {
  std::string name;  // names the file of `lichen run --dump`; [A-Za-z0-9_.-]+, unique in the model
  int64_t channels = 0;
  ValueRange range;
  std::vector<double> scale = {1.0};  // real = raw * scale; one value, or one per channel
};

template <class Params>
struct Node {
  OpKind kind = OpKind::kConv2d;
  std::vector<TensorId> inputs;
  TensorId output;
  Geometry geometry;
  Params params;
};

template <class Params>
struct Graph {
  std::string name;  // analysis, synthesis, hyper_analysis, hyper_synthesis, context,
                     // entropy_parameters or main
  std::vector<TensorInfo> tensors;
  std::vector<Node<Params>> nodes;
  std::vector<TensorId> inputs;
  std::vector<TensorId> outputs;

  const TensorInfo& tensor(TensorId id) const { return tensors[static_cast<size_t>(id.index)]; }
  TensorInfo& tensor(TensorId id) { return tensors[static_cast<size_t>(id.index)]; }
};

}  // namespace lichen

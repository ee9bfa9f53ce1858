// A convolutional network as DeepBurning-MixQ's HLS library computes it: layers with weights, and what lies between them.
//
// Contract: FromGraph() takes graphs of Conv2d (stride 1, square kernel, groups 1 or depthwise), Linear, MaxPool 2x2, and
// Requant, SpaceToDepth and Concat as a bypass has them; activations are unsigned, 1 to 15 bits, the last layer may give plain
// sums. Anything else is an error that names the layer and what to do.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "net/int_net.h"

namespace lichen::mixq {

// A tensor on its way between layers.
struct Place {
  std::string name;
  Size2 size;
  int64_t channels = 0;
  int bits = 0;  // of every value
  bool is_signed = false;
  int64_t lanes = 0;    // channels per word; set by ReadFoldings()
  int64_t readers = 0;  // layers that read it; the network's output counts one more
};

// How much of a layer is computed at once.
struct Folding {
  int64_t simd = 0;   // input values per kernel column (linear: per half word)
  int64_t pe = 0;     // output channels (linear: pairs of them)
  int64_t in_pe = 0;  // linear: input channels per group
};

// Conv2d or Linear.
struct Layer {
  int number = 0;  // among the layers with weights
  std::string name;
  bool is_linear = false;
  bool is_depthwise = false;
  size_t node = 0;
  size_t input = 0;  // places
  size_t output = 0;
  int64_t kernel = 1;
  int64_t pad = 0;
  int weight_bits = 0;
  int inc_bits = 0;           // 0: no activation, the output is acc + bias
  std::vector<int64_t> inc;   // per output channel; empty: no activation
  std::vector<int64_t> bias;  // per output channel
  int bias_bits = 0;
  int shift = 0;
  Folding folding;

  std::string Variable() const;  // "conv_3", "linear_6"
  std::string Macro() const;     // "CONV_3"
};

struct Network {
  const IntGraph* graph = nullptr;
  std::vector<Place> places;  // by TensorId
  std::vector<Layer> layers;
  const Place& place(TensorId id) const { return places[static_cast<size_t>(id.index)]; }
  const Place& input(const Layer& layer) const { return places[layer.input]; }
  const Place& output(const Layer& layer) const { return places[layer.output]; }
  const IntNode& node(const Layer& layer) const { return graph->nodes[layer.node]; }
  // The layer of a node, if it has weights.
  const Layer* LayerOf(size_t node) const;
};

// Requires a net that CheckIntNet() accepts, and that stays where it is. `picture`: rows and columns.
Result<Network> FromGraph(const IntNet& net, Size2 picture);

// Bits of two's complement that hold every value, as DeepBurning-MixQ counts them: one more than the largest magnitude's.
int SignedBits(const std::vector<int64_t>& values);

}  // namespace lichen::mixq

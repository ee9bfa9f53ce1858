// The layers of a graph as the tile engine sees them: what the array computes and what is fused
// behind it.
//
// Contract: InferLayers() takes what the engine can run and refuses the rest by name. Numbers of
// one layer are independent of any design.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/tile/axis.h"
#include "base/result.h"
#include "base/tensor.h"
#include "net/int_net.h"

namespace lichen::tile {

struct Layer {
  std::string name;  // of its last node's tensor
  // Conv2d, ConvTranspose2d or Linear; or an operator that multiplies nothing, whose outputs copy
  // an input channel each: SpaceToDepth, DepthToSpace, Requant, Clamp, MaxPool.
  const IntNode* node = nullptr;
  const IntNode* norm = nullptr;     // Gdn or Igdn behind it, or none
  const IntNode* requant = nullptr;  // whose requantiser its sums take; none: they stay as they are
  ValueRange range;                  // to which its sums are clamped
  ValueRange norm_range;             // to which the norm's results are
  bool pools = false;                // MaxPool of 2x2 behind it, as its results are stored
  TensorId input;
  TensorId output;
  int64_t first_channel = 0;  // of the output tensor's: not 0 behind a Concat's first input
  int64_t tensor_channels = 0;
  int64_t input_channels = 0;
  int64_t output_channels = 0;
  int64_t groups = 1;
  Axis y;
  Axis x;
  int64_t macs = 0;  // useful ones, of both nodes

  bool Copies() const;
  bool HasPhases() const { return y.phases * x.phases > 1; }
  // It is the last of those that write its output tensor.
  bool IsLastPart() const { return first_channel + output_channels == tensor_channels; }
  // Of the array, those that go to memory.
  int64_t RowPositions() const { return pools ? y.output / 2 * 2 : y.Positions(); }
  int64_t ColumnPositions() const { return pools ? x.output / 2 * 2 : x.Positions(); }
  int64_t StoredRows() const { return pools ? y.output / 2 : y.output; }
  int64_t StoredColumns() const { return pools ? x.output / 2 : x.output; }
};

// What an output channel of a phase reads: taps [y0, y1] x [x0, x1], input channels [c0, c1].
struct Reads {
  int64_t y0, y1, x0, x1, c0, c1;
};
Reads ReadsOf(const Layer& layer, int64_t phase_y, int64_t phase_x, int64_t channel);

// The weight of an input channel at a tap for an output channel of a phase; 0 where it has none.
int16_t WeightOf(const Layer& layer, int64_t phase_y, int64_t phase_x, int64_t channel,
                 int64_t tap_y, int64_t tap_x, int64_t input_channel);

// Layers in the order of the nodes, for inputs and outputs of these sizes (net/shapes.h).
// Error: names the node that the engine cannot run, and why.
Result<std::vector<Layer>> InferLayers(const IntGraph& graph, Size2 input, Size2 reference);

}  // namespace lichen::tile

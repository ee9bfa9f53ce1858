#include "accel/tile/layer.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "net/shapes.h"

namespace lichen::tile {
namespace {

Axis Plain(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t pad) {
  return {.input = input,
          .output = output,
          .taps = kernel,
          .stride = stride,
          .pad = pad,
          .phases = 1,
          .phase = {},
          .order = {0}};
}

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

// Output s * q + p takes inputs q + (p + pad - k) / s of the kernel indices k where that is whole.
Axis Transposed(int64_t input, int64_t output, int64_t kernel, int64_t stride, int64_t pad,
                bool is_sorted) {
  std::vector<std::pair<int64_t, int64_t>> range;  // of input offsets, per phase
  for (int64_t p = 0; p < stride; ++p) {
    const int64_t first = (p + pad) % stride;
    const int64_t count = first < kernel ? (kernel - 1 - first) / stride + 1 : 0;
    const int64_t top = FloorDivide(p + pad, stride);
    range.emplace_back(top - std::max<int64_t>(count, 1) + 1, top);
  }
  int64_t low = range[0].first;
  int64_t high = range[0].second;
  for (const auto& [first, last] : range) {
    low = std::min(low, first);
    high = std::max(high, last);
  }
  Axis axis{.input = input,
            .output = output,
            .taps = high - low + 1,
            .stride = 1,
            .pad = -low,
            .phases = stride,
            .phase = {},
            .order = {}};
  for (int64_t p = 0; p < stride; ++p) {
    Axis::Phase phase{.first_tap = range[static_cast<size_t>(p)].first - low,
                      .last_tap = range[static_cast<size_t>(p)].second - low,
                      .kernel = std::vector<int64_t>(static_cast<size_t>(axis.taps), -1)};
    for (int64_t k = (p + pad) % stride; k < kernel; k += stride) {
      phase.kernel[static_cast<size_t>((p + pad - k) / stride - low)] = k;
    }
    axis.phase.push_back(std::move(phase));
  }
  axis.order.resize(static_cast<size_t>(stride));
  std::iota(axis.order.begin(), axis.order.end(), 0);
  if (is_sorted) {
    std::ranges::stable_sort(axis.order, {}, [&](int64_t p) {
      const Axis::Phase& phase = axis.phase[static_cast<size_t>(p)];
      return phase.last_tap - phase.first_tap;
    });
  }
  return axis;
}

std::string NodeName(const IntGraph& graph, const IntNode& node) {
  return fmt::format("graph {}, layer {}", graph.name, graph.tensor(node.output).name);
}

// The only node that reads the tensor, or none.
const IntNode* OnlyReader(const IntGraph& graph, TensorId tensor) {
  const IntNode* found = nullptr;
  for (const IntNode& node : graph.nodes) {
    if (std::ranges::count(node.inputs, tensor) == 0) continue;
    if (found) return nullptr;
    found = &node;
  }
  return std::ranges::count(graph.outputs, tensor) == 0 ? found : nullptr;
}

bool IsNorm(const IntNode& node) { return node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn; }

}  // namespace

Result<std::vector<Layer>> InferLayers(const IntGraph& graph, Size2 input, Size2 reference) {
  if (graph.inputs.size() != 1) {
    return Fail("graph {}: has {} inputs, the tile engine takes one", graph.name,
                graph.inputs.size());
  }
  LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, {input}, reference));
  const auto size = [&](TensorId id) { return sizes[static_cast<size_t>(id.index)]; };
  std::vector<Layer> layers;
  std::vector<const IntNode*> fused;
  for (const IntNode& node : graph.nodes) {
    if (std::ranges::count(fused, &node) > 0) continue;
    const bool is_transposed = node.kind == OpKind::kConvTranspose2d;
    if (node.kind != OpKind::kConv2d && !is_transposed) {
      return Fail(
          "{}: {} is not among what the tile engine runs: Conv2d and ConvTranspose2d, each with "
          "Gdn or Igdn behind it",
          NodeName(graph, node), Name(node.kind));
    }
    const Geometry& g = node.geometry;
    if (g.groups != 1) return Fail("{}: has {} groups, must be 1", NodeName(graph, node), g.groups);
    const Size2 in = size(node.inputs[0]);
    const Size2 out = size(node.output);
    Layer layer{.name = {},
                .convolution = &node,
                .norm = nullptr,
                .input = node.inputs[0],
                .output = node.output,
                .is_transposed = is_transposed,
                .input_channels = graph.tensor(node.inputs[0]).channels,
                .output_channels = graph.tensor(node.output).channels,
                .y = {},
                .x = {},
                .macs = MacCount(graph, node, out, in)};
    if (is_transposed) {
      layer.y = Transposed(in.h, out.h, g.kernel_h, g.stride_h, g.pad_top, true);
      layer.x = Transposed(in.w, out.w, g.kernel_w, g.stride_w, g.pad_left, false);
    } else {
      layer.y = Plain(in.h, out.h, g.kernel_h, g.stride_h, g.pad_top);
      layer.x = Plain(in.w, out.w, g.kernel_w, g.stride_w, g.pad_left);
    }
    if (layer.y.pad < 0 || layer.x.pad < 0) {
      return Fail("{}: starts within its input, which the engine cannot", NodeName(graph, node));
    }
    const IntNode* next = OnlyReader(graph, node.output);
    if (next && IsNorm(*next)) {
      layer.norm = next;
      layer.output = next->output;
      layer.macs += MacCount(graph, *next, out, out);
      fused.push_back(next);
    }
    layer.name = graph.tensor(layer.output).name;
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace lichen::tile

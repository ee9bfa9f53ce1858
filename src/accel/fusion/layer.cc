#include "accel/fusion/layer.h"

#include <algorithm>

#include "accel/fusion/digits.h"
#include "net/proof.h"
#include "net/shapes.h"

namespace lichen::fusion {
namespace {

constexpr int64_t kMaxPool = 3;
constexpr int64_t kMaxStride = 15;

const IntNode* OnlyReader(const IntGraph& graph, TensorId tensor) {
  const IntNode* found = nullptr;
  for (const IntNode& node : graph.nodes) {
    if (std::ranges::count(node.inputs, tensor) == 0) continue;
    if (found) return nullptr;
    found = &node;
  }
  return std::ranges::count(graph.outputs, tensor) == 0 ? found : nullptr;
}

bool HasWindows(const IntNode& node) {
  return node.kind == OpKind::kConv2d || node.kind == OpKind::kLinear;
}

bool IsPool(const IntNode& node) {
  const Geometry& g = node.geometry;
  return node.kind == OpKind::kMaxPool && g.kernel_h == g.kernel_w && g.stride_h == g.kernel_h &&
         g.stride_w == g.kernel_w && g.kernel_h <= kMaxPool;
}

// The machine's limits, beyond what CheckIntNet() has proved.
Result<void> CheckLayer(const IntGraph& graph, const Layer& layer) {
  const Geometry& g = layer.node->geometry;
  if (g.pad_top < 0 || g.pad_left < 0) return Fail("its windows begin within their input");
  if (g.stride_h > kMaxStride || g.stride_w > kMaxStride) {
    return Fail("its stride is {}x{}, the machine's at most {}", g.stride_h, g.stride_w,
                kMaxStride);
  }
  for (const auto& [what, bits] :
       {std::pair{"input", layer.input_bits}, {"weights", layer.weight_bits}}) {
    if (bits > kMaxOperandBits) {
      return Fail("its {} have {} bits, the machine's operands at most {}; quantise it to fewer",
                  what, bits, kMaxOperandBits);
    }
  }
  if (layer.pool && layer.output_bits > kMaxOperandBits) {
    return Fail("it pools values of {} bits, the machine pools at most {}", layer.output_bits,
                kMaxOperandBits);
  }
  if (layer.output_bits > 32) {
    return Fail("its results have {} bits, the machine's at most 32", layer.output_bits);
  }
  const SumBounds bounds = BoundSums(graph, *layer.node);
  for (size_t c = 0; c < bounds.channels.size(); ++c) {
    const ChannelSum& sum = bounds.channels[c];
    if (sum.min < INT32_MIN || sum.max > INT32_MAX) {
      return Fail("sums of channel {} reach [{}, {}], accumulators have 32 bits", c, sum.min,
                  sum.max);
    }
  }
  for (int64_t m : layer.node->params.requant.multiplier) {
    if (m < INT32_MIN || m > INT32_MAX) {
      return Fail("its multiplier {} has more than 32 bits", m);
    }
  }
  return {};
}

}  // namespace

Result<std::vector<Layer>> InferLayers(const IntGraph& graph, Size2 input) {
  if (graph.inputs.size() != 1) {
    return Fail("graph {}: has {} inputs, the fusion machine takes one", graph.name,
                graph.inputs.size());
  }
  LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, {input}));
  const auto size = [&](TensorId id) { return sizes[static_cast<size_t>(id.index)]; };
  std::vector<Layer> layers;
  std::vector<const IntNode*> fused;
  std::vector<TensorId> readable;  // what the machine may read
  for (const IntNode& node : graph.nodes) {
    if (std::ranges::count(fused, &node) > 0) continue;
    const std::string place =
        fmt::format("graph {}, layer {}", graph.name, graph.tensor(node.output).name);
    if (!HasWindows(node)) {
      if (layers.empty()) continue;
      return Fail(
          "{}: {} is not among what the fusion machine runs: Conv2d and Linear, each with a "
          "MaxPool "
          "behind it whose stride is its window (at most {})",
          place, Name(node.kind), kMaxPool);
    }
    if (layers.empty()) readable.push_back(node.inputs[0]);
    if (std::ranges::count(readable, node.inputs[0]) == 0) {
      return Fail("{}: reads {}, which neither the machine nor the host gives", place,
                  graph.tensor(node.inputs[0]).name);
    }
    Layer layer{.name = {},
                .node = &node,
                .pool = nullptr,
                .input = node.inputs[0],
                .output = node.output,
                .input_size = size(node.inputs[0]),
                .sums_size = size(node.output),
                .output_size = size(node.output),
                .input_channels = graph.tensor(node.inputs[0]).channels,
                .output_channels = graph.tensor(node.output).channels,
                .input_bits = BitsOf(graph.tensor(node.inputs[0]).range),
                .is_input_signed = graph.tensor(node.inputs[0]).range.min < 0,
                .weight_bits = SignedBitsOf(node.params.weights),
                .output_bits = 0,
                .is_output_signed = false,
                .macs = MacCount(graph, node, size(node.output), size(node.inputs[0]))};
    const IntNode* next = OnlyReader(graph, node.output);
    if (next && IsPool(*next)) {
      layer.pool = next;
      layer.output = next->output;
      layer.output_size = size(next->output);
      fused.push_back(next);
    }
    const TensorInfo& output = graph.tensor(layer.output);
    layer.name = output.name;
    layer.output_bits = BitsOf(graph.tensor(node.output).range);
    layer.is_output_signed = graph.tensor(node.output).range.min < 0;
    LICHEN_TRY_VOID(InPlace(place, CheckLayer(graph, layer)));
    readable.push_back(layer.output);
    layers.push_back(std::move(layer));
  }
  if (layers.empty()) return Fail("graph {}: has no Conv2d or Linear", graph.name);
  return layers;
}

}  // namespace lichen::fusion

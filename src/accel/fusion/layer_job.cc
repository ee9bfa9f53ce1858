#include "accel/fusion/layer_job.h"

#include <algorithm>

#include "net/proof.h"
#include "net/shapes.h"

namespace lichen::fusion {
namespace {

struct Found {
  const IntGraph* graph = nullptr;
  const IntNode* node = nullptr;
};

Result<Found> Find(const IntNet& net, std::string_view layer) {
  std::vector<std::string_view> names;
  for (const IntGraph& graph : net.graphs) {
    for (const IntNode& node : graph.nodes) {
      const std::string_view name = graph.tensor(node.output).name;
      const bool is_convolution = node.kind == OpKind::kConv2d || node.kind == OpKind::kLinear;
      if (is_convolution) names.push_back(name);
      if (name != layer) continue;
      if (is_convolution) return Found{&graph, &node};
      return Fail("layer {} is a {}; the machine takes Conv2d and Linear", layer, Name(node.kind));
    }
  }
  return Fail("there is no layer '{}'; convolutions: {}", layer, fmt::join(names, ", "));
}

// The next width that the machine has.
Result<int> Width(std::string_view layer, std::string_view what, int32_t bits,
                  std::vector<std::string>& remarks) {
  const int width = std::max(2, (bits + 1) / 2 * 2);
  if (width > 8) {
    return Fail(
        "layer {}: its {} have {} bits, the machine at most 8; lichen quantize --bits 8 makes such "
        "a network",
        layer, what, bits);
  }
  if (width != bits) remarks.push_back(fmt::format("{} of {} bits take {}", what, bits, width));
  return width;
}

}  // namespace

Result<LayerJob> JobOfLayer(const IntNet& net, std::string_view layer, Size2 picture) {
  LICHEN_TRY(const Found found, Find(net, layer));
  LICHEN_TRY(const auto sizes, InferModelSizes(net, picture));
  const IntNode& node = *found.node;
  const Geometry& g = node.geometry;
  const TensorInfo& input = found.graph->tensor(node.inputs[0]);
  const TensorInfo& output = found.graph->tensor(node.output);
  const auto size = sizes.find(input.name);
  if (size == sizes.end())
    return Fail("layer {}: the size of its input {} is unknown", layer, input.name);

  LayerJob job;
  job.input = {input.channels / g.groups, size->second.h, size->second.w};
  job.kernel = {output.channels, g.kernel_h, g.kernel_w};
  if (g.pad_top == g.pad_bottom && g.pad_top == g.pad_left && g.pad_top == g.pad_right) {
    job.padding = g.pad_top;
  } else {
    job.input.height += g.pad_top + g.pad_bottom;
    job.input.width += g.pad_left + g.pad_right;
    job.remarks.push_back("the padding differs by side: it is part of the pictures");
  }
  const int32_t weight_bits =
      node.params.weight_bits > 0 ? node.params.weight_bits : SignedBitsOf(node.params.weights);
  LICHEN_TRY(job.pair.input_bits, Width(layer, "inputs", BitsOf(input.range), job.remarks));
  LICHEN_TRY(job.pair.weight_bits, Width(layer, "weights", weight_bits, job.remarks));
  const bool has_signs = input.range.min < 0 ||
                         std::ranges::any_of(node.params.weights, [](int16_t w) { return w < 0; });
  if (has_signs)
    job.remarks.push_back("the machine's operands are unsigned; the layer's have signs");
  if (job.input.count > 1) job.remarks.push_back("the sum over input channels is not represented");
  if (g.stride_h != 1 || g.stride_w != 1) {
    job.remarks.push_back(
        fmt::format("the stride of {}x{} is not represented: windows are at every position",
                    g.stride_h, g.stride_w));
  }
  if (g.groups != 1) {
    job.remarks.push_back(
        fmt::format("of {} groups, the pictures are the input channels of one", g.groups));
  }
  return job;
}

}  // namespace lichen::fusion

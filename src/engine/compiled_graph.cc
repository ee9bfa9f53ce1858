#include "engine/compiled_graph.h"

#include <algorithm>

#include "net/proof.h"

namespace lichen {
namespace {

bool WeightsFit8Bits(const IntNode& node) {
  return std::all_of(node.params.weights.begin(), node.params.weights.end(),
                     [](int16_t w) { return w >= -128 && w <= 127; });
}

bool Fits16Bits(ValueRange range) { return range.min >= -32768 && range.max <= 32767; }

// The storage of every tensor: the smallest that its readers can multiply.
std::vector<ElementType> ChooseTypes(const IntGraph& graph) {
  std::vector<ElementType> types;
  for (const TensorInfo& tensor : graph.tensors) types.push_back(SmallestType(tensor.range));
  for (const IntNode& node : graph.nodes) {
    if (!HasProducts(node.kind)) continue;
    ElementType& type = types[static_cast<size_t>(node.inputs[0].index)];
    if (SizeBytes(type) == 1 && !WeightsFit8Bits(node)) type = ElementType::kI16;
  }
  return types;
}

bool CanPack(const IntGraph& graph, const IntNode& node, ElementType type) {
  if (!HasProducts(node.kind) || type == ElementType::kI32) return false;
  const ValueRange input = graph.tensor(node.inputs[0]).range;
  const ValueRange output = graph.tensor(node.output).range;
  switch (node.kind) {
    case OpKind::kGdn:
      return input.min > -32768 && Fits16Bits(output) && node.params.inner_range.min >= 1;
    case OpKind::kIgdn:
      return input.min > -32768;
    default:
      return true;
  }
}

LaneRequant TailRequant(const PackedConv& conv, const ChannelRequant& requant, ValueRange range,
                        int64_t max_abs_input) {
  LaneRequant lanes;
  lanes.Reserve(static_cast<int64_t>(conv.requant.exact.size()));
  lanes.range = range;
  for (int64_t c = 0; c < conv.out_channels; ++c) {
    lanes.Set(c, requant.At(static_cast<size_t>(c), range));
  }
  lanes.Finish(conv.lane_count, std::span(&max_abs_input, 1));
  return lanes;
}

// Operators without products run on rows as they are stored.
CompiledNode CompileRowNode(const IntGraph& graph, const IntNode& node) {
  CompiledNode compiled;
  const TensorInfo& input = graph.tensor(node.inputs[0]);
  const TensorInfo& output = graph.tensor(node.output);
  if (node.kind == OpKind::kAdd) {
    const ValueRange other = graph.tensor(node.inputs[1]).range;
    if (input.range.max + other.max > INT32_MAX || input.range.min + other.min < INT32_MIN) {
      return compiled;
    }
  }
  // The half that a slope adds must not overflow either.
  if (node.kind == OpKind::kLeakyRelu && node.params.slope_shift > 30) return compiled;
  compiled.path = NodePath::kRows;
  if (node.kind == OpKind::kRequant) {
    compiled.row_requant =
        PackRowRequant(node.params.requant, output.channels, input.range, output.range);
  }
  return compiled;
}

CompiledNode CompileNode(const IntGraph& graph, const IntNode& node, ElementType type) {
  CompiledNode compiled;
  if (!HasProducts(node.kind)) return CompileRowNode(graph, node);
  if (!CanPack(graph, node, type)) return compiled;
  const IntParams& p = node.params;
  const TensorInfo& input = graph.tensor(node.inputs[0]);
  const TensorInfo& output = graph.tensor(node.output);
  PackedConvSpec spec{.transposed = node.kind == OpKind::kConvTranspose2d,
                      .geometry = node.geometry,
                      .in_channels = input.channels,
                      .out_channels = output.channels,
                      .input_range = input.range,
                      .input = type,
                      .weights = p.weights,
                      .requant = &p.requant,
                      .range = output.range};
  if (node.kind == OpKind::kConv2d && node.geometry.groups == input.channels &&
      input.channels == output.channels && PackDepthwise(spec, compiled.depthwise)) {
    compiled.path = NodePath::kDepthwise;
    return compiled;
  }
  compiled.path = NodePath::kPacked;
  if (node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn) {
    compiled.tail = node.kind == OpKind::kGdn ? PackedTail::kGdn : PackedTail::kIgdn;
    spec.input_range = {0, std::max(-input.range.min, input.range.max)};
    if (type == ElementType::kI8) spec.input = ElementType::kU8;
    spec.range = p.inner_range;
  } else if (node.kind == OpKind::kLagc) {
    compiled.tail = PackedTail::kLagc;
    spec.range = p.inner_range;
  }
  compiled.conv = PackConv(spec);
  if (compiled.tail != PackedTail::kNone) {
    const int64_t x_max = std::max(-input.range.min, input.range.max);
    const int64_t factor_max = node.kind == OpKind::kLagc
                                   ? std::max(-p.gain_range.min, p.gain_range.max)
                                   : p.inner_range.max;
    compiled.output_requant =
        TailRequant(compiled.conv, p.output_requant, output.range, x_max * factor_max);
    // Applied to table entries, one by one.
    compiled.gain_requant = TailRequant(compiled.conv, p.gain_requant, p.gain_range, INT32_MAX);
  }
  return compiled;
}

IntNode WithoutWeights(const IntNode& node) {
  IntNode light{node.kind, node.inputs, node.output, node.geometry, {}};
  const IntParams& p = node.params;
  light.params = {.weights = {},
                  .weight_bits = p.weight_bits,
                  .requant = p.requant,
                  .inner_range = p.inner_range,
                  .gain_requant = p.gain_requant,
                  .gain_range = p.gain_range,
                  .output_requant = p.output_requant,
                  .table = p.table,
                  .table_first = p.table_first,
                  .slope_shift = p.slope_shift,
                  .mask_block = p.mask_block,
                  .mask = {}};
  return light;
}

}  // namespace

CompiledGraph::CompiledGraph(const IntGraph& graph, const Threads& threads)
    : impl_(std::make_unique<Impl>()) {
  impl_->types = ChooseTypes(graph);
  impl_->nodes.resize(graph.nodes.size());
  threads.For(static_cast<int64_t>(graph.nodes.size()), [&](int64_t i) {
    const IntNode& node = graph.nodes[static_cast<size_t>(i)];
    const ElementType type = impl_->types[static_cast<size_t>(node.inputs[0].index)];
    impl_->nodes[static_cast<size_t>(i)] = CompileNode(graph, node, type);
  });
  impl_->graph = {.name = graph.name,
                  .tensors = graph.tensors,
                  .nodes = {},
                  .inputs = graph.inputs,
                  .outputs = graph.outputs};
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const bool keeps_weights = impl_->nodes[i].path == NodePath::kGeneric;
    impl_->graph.nodes.push_back(keeps_weights ? graph.nodes[i] : WithoutWeights(graph.nodes[i]));
  }
}

CompiledGraph::CompiledGraph(CompiledGraph&&) noexcept = default;
CompiledGraph& CompiledGraph::operator=(CompiledGraph&&) noexcept = default;
CompiledGraph::~CompiledGraph() = default;
const IntGraph& CompiledGraph::graph() const { return impl_->graph; }

}  // namespace lichen

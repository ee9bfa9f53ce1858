#include "accel/tile/layer.h"

#include <algorithm>

#include "net/shapes.h"

namespace lichen::tile {
namespace {

bool IsNorm(const IntNode& node) { return node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn; }

bool IsTransposed(const Layer& layer) { return layer.node->kind == OpKind::kConvTranspose2d; }

bool Pools2x2(const IntNode& node) {
  const Geometry& g = node.geometry;
  return node.kind == OpKind::kMaxPool && g.kernel_h == 2 && g.kernel_w == 2 && g.stride_h == 2 &&
         g.stride_w == 2;
}

// Clamping to `first`, then to `second`.
ValueRange Clamped(ValueRange first, ValueRange second) {
  return {std::clamp(first.min, second.min, second.max),
          std::clamp(first.max, second.min, second.max)};
}

// Of a block's part that an output channel of SpaceToDepth copies: its row, column and channel.
struct Part {
  int64_t row, column, channel;
};
Part PartOf(const Layer& layer, int64_t channel) {
  const int64_t block = layer.node->geometry.block;
  const int64_t part = channel / layer.input_channels;
  return {part / block, part % block, channel % layer.input_channels};
}

// The input channel that a phase's output channel of a copying layer takes.
int64_t CopiedChannel(const Layer& layer, int64_t channel, int64_t kernel_y, int64_t kernel_x) {
  if (layer.node->kind != OpKind::kDepthToSpace) return channel;
  return (kernel_y * layer.node->geometry.block + kernel_x) * layer.output_channels + channel;
}

const Axis::Phase& PhaseOf(const Axis& axis, int64_t phase) {
  return axis.phase[static_cast<size_t>(phase)];
}

class Inference {
 public:
  Inference(const IntGraph& graph, std::vector<Size2> sizes)
      : graph_(graph), sizes_(std::move(sizes)) {}

  Result<std::vector<Layer>> Run() {
    for (const IntNode& node : graph_.nodes) {
      if (std::ranges::count(fused_, &node) > 0) continue;
      if (node.kind == OpKind::kConcat) {
        LICHEN_TRY_VOID(InPlace(Place(node), Join(node)));
        continue;
      }
      LICHEN_TRY(Layer layer, InPlace(Place(node), MakeLayer(node)));
      Fuse(layer);
      layer.name = graph_.tensor(layer.output).name;
      layers_.push_back(std::move(layer));
    }
    return std::move(layers_);
  }

 private:
  Size2 SizeOf(TensorId id) const { return sizes_[static_cast<size_t>(id.index)]; }

  std::string Place(const IntNode& node) const {
    return fmt::format("graph {}, layer {}", graph_.name, graph_.tensor(node.output).name);
  }

  // The only node that reads the tensor, or none.
  const IntNode* OnlyReader(TensorId tensor) const {
    const IntNode* found = nullptr;
    for (const IntNode& node : graph_.nodes) {
      const auto times = std::ranges::count(node.inputs, tensor);
      if (times == 0) continue;
      if (found || times > 1) return nullptr;
      found = &node;
    }
    return std::ranges::count(graph_.outputs, tensor) == 0 ? found : nullptr;
  }

  void Write(Layer& layer, TensorId output) const {
    layer.output = output;
    layer.tensor_channels = graph_.tensor(output).channels;
  }

  Result<Layer> MakeLayer(const IntNode& node) const {
    const Geometry& g = node.geometry;
    const Size2 in = SizeOf(node.inputs[0]);
    const Size2 out = SizeOf(node.output);
    const ValueRange range = graph_.tensor(node.output).range;
    Layer layer{.name = {},
                .node = &node,
                .range = range,
                .norm_range = range,
                .input = node.inputs[0],
                .output = {},
                .input_channels = graph_.tensor(node.inputs[0]).channels,
                .output_channels = graph_.tensor(node.output).channels,
                .groups = g.groups,
                .y = {},
                .x = {},
                .macs = MacCount(graph_, node, out, in)};
    Write(layer, node.output);
    switch (node.kind) {
      case OpKind::kConv2d:
      case OpKind::kLinear:
        layer.requant = &node;
        layer.y = PlainAxis(in.h, out.h, g.kernel_h, g.stride_h, g.pad_top);
        layer.x = PlainAxis(in.w, out.w, g.kernel_w, g.stride_w, g.pad_left);
        return layer;
      case OpKind::kConvTranspose2d:
        layer.requant = &node;
        layer.y = TransposedAxis(in.h, out.h, g.kernel_h, g.stride_h, g.pad_top);
        layer.x = TransposedAxis(in.w, out.w, g.kernel_w, g.stride_w, g.pad_left);
        return layer;
      case OpKind::kSpaceToDepth:
        layer.y = PlainAxis(in.h, out.h, g.block, g.block, 0);
        layer.x = PlainAxis(in.w, out.w, g.block, g.block, 0);
        return layer;
      case OpKind::kDepthToSpace:
        layer.y = DepthToSpaceAxis(in.h, out.h, g.block, g.crop);
        layer.x = DepthToSpaceAxis(in.w, out.w, g.block, g.crop);
        return layer;
      case OpKind::kMaxPool:
        if (!Pools2x2(node)) {
          return Fail(
              "the tile engine's MaxPool has kernel 2x2 and stride 2, this one {}x{} and {}",
              g.kernel_h, g.kernel_w, g.stride_h);
        }
        layer.pools = true;
        [[fallthrough]];
      case OpKind::kRequant:
      case OpKind::kClamp:
        if (node.kind == OpKind::kRequant) layer.requant = &node;
        layer.y = PlainAxis(in.h, in.h, 1, 1, 0);
        layer.x = PlainAxis(in.w, in.w, 1, 1, 0);
        return layer;
      default:
        return Fail(
            "{} is not among what the tile engine runs: Conv2d, ConvTranspose2d and Linear, Gdn or "
            "Igdn behind them, SpaceToDepth, DepthToSpace, MaxPool, Concat, Requant and Clamp",
            Name(node.kind));
    }
  }

  // Takes the nodes behind that the layer's way to memory does by the way.
  void Fuse(Layer& layer) {
    for (;;) {
      const IntNode* next = OnlyReader(layer.output);
      if (!next) return;
      const ValueRange range = graph_.tensor(next->output).range;
      if (next->kind == OpKind::kClamp) {
        // The maximum of clamped values is the clamped maximum.
        ValueRange& last = layer.norm ? layer.norm_range : layer.range;
        last = Clamped(last, range);
      } else if (next->kind == OpKind::kRequant && !layer.requant && !layer.pools &&
                 layer.node->kind != OpKind::kClamp) {
        layer.requant = next;
        layer.range = range;
      } else if (IsNorm(*next) && !layer.norm && !layer.pools && !layer.Copies()) {
        layer.norm = next;
        layer.norm_range = range;
        layer.macs += MacCount(graph_, *next, SizeOf(next->output), SizeOf(layer.output));
      } else if (Pools2x2(*next) && !layer.pools && !layer.HasPhases()) {
        layer.pools = true;
      } else {
        return;
      }
      Write(layer, next->output);
      fused_.push_back(next);
    }
  }

  // Who writes an input writes its part of the whole instead; a tensor that is also read elsewhere
  // is copied.
  Result<void> Join(const IntNode& concat) {
    int64_t first = 0;
    for (TensorId input : concat.inputs) {
      const int64_t channels = graph_.tensor(input).channels;
      const auto writer = std::ranges::find(layers_, input, &Layer::output);
      const bool is_whole = writer != layers_.end() && writer->output_channels == channels;
      if (is_whole && OnlyReader(input)) {
        Write(*writer, concat.output);
        writer->first_channel = first;
      } else {
        const Size2 size = SizeOf(input);
        Layer copy{.name = fmt::format("{}.{}", graph_.tensor(concat.output).name,
                                       graph_.tensor(input).name),
                   .node = &concat,
                   .range = graph_.tensor(input).range,
                   .norm_range = {},
                   .input = input,
                   .output = {},
                   .first_channel = first,
                   .input_channels = channels,
                   .output_channels = channels,
                   .y = PlainAxis(size.h, size.h, 1, 1, 0),
                   .x = PlainAxis(size.w, size.w, 1, 1, 0)};
        Write(copy, concat.output);
        layers_.push_back(std::move(copy));
      }
      first += channels;
    }
    return {};
  }

  const IntGraph& graph_;
  std::vector<Size2> sizes_;
  std::vector<Layer> layers_;
  std::vector<const IntNode*> fused_;
};

}  // namespace

bool Layer::Copies() const {
  return node->kind != OpKind::kConv2d && node->kind != OpKind::kConvTranspose2d &&
         node->kind != OpKind::kLinear;
}

Reads ReadsOf(const Layer& layer, int64_t phase_y, int64_t phase_x, int64_t channel) {
  Reads reads{0, layer.y.taps - 1, 0, layer.x.taps - 1, 0, layer.input_channels - 1};
  const bool has_phases = !layer.y.phase.empty();
  if (has_phases) {
    const Axis::Phase& y = PhaseOf(layer.y, phase_y);
    const Axis::Phase& x = PhaseOf(layer.x, phase_x);
    reads.y0 = y.first_tap;
    reads.y1 = y.last_tap;
    reads.x0 = x.first_tap;
    reads.x1 = x.last_tap;
  }
  if (!layer.Copies()) {
    const int64_t width = layer.input_channels / layer.groups;
    reads.c0 = channel / (layer.output_channels / layer.groups) * width;
    reads.c1 = reads.c0 + width - 1;
    return reads;
  }
  if (layer.node->kind == OpKind::kSpaceToDepth) {
    const Part part = PartOf(layer, channel);
    return {part.row, part.row, part.column, part.column, part.channel, part.channel};
  }
  const auto kernel = [&](const Axis& axis, int64_t phase, int64_t tap) {
    return has_phases ? PhaseOf(axis, phase).kernel[static_cast<size_t>(tap)] : 0;
  };
  reads.c0 = reads.c1 = CopiedChannel(layer, channel, kernel(layer.y, phase_y, reads.y0),
                                      kernel(layer.x, phase_x, reads.x0));
  return reads;
}

int16_t WeightOf(const Layer& layer, int64_t phase_y, int64_t phase_x, int64_t channel,
                 int64_t tap_y, int64_t tap_x, int64_t input_channel) {
  const Reads reads = ReadsOf(layer, phase_y, phase_x, channel);
  if (tap_y < reads.y0 || tap_y > reads.y1 || tap_x < reads.x0 || tap_x > reads.x1 ||
      input_channel < reads.c0 || input_channel > reads.c1) {
    return 0;
  }
  if (layer.Copies()) return 1;
  const Geometry& g = layer.node->geometry;
  int64_t ky = tap_y;
  int64_t kx = tap_x;
  if (IsTransposed(layer)) {
    ky = PhaseOf(layer.y, phase_y).kernel[static_cast<size_t>(tap_y)];
    kx = PhaseOf(layer.x, phase_x).kernel[static_cast<size_t>(tap_x)];
    if (ky < 0 || kx < 0) return 0;
  }
  const int64_t width = layer.input_channels / layer.groups;
  return layer.node->params.weights[static_cast<size_t>(
      ((channel * g.kernel_h + ky) * g.kernel_w + kx) * width + input_channel - reads.c0)];
}

Result<std::vector<Layer>> InferLayers(const IntGraph& graph, Size2 input, Size2 reference) {
  for (const auto& [what, tensors] :
       {std::pair{"inputs", &graph.inputs}, {"outputs", &graph.outputs}}) {
    if (tensors->size() == 1) continue;
    return Fail("graph {}: has {} {}, the tile engine takes one", graph.name, tensors->size(),
                what);
  }
  LICHEN_TRY(std::vector<Size2> sizes, InferSizes(graph, {input}, reference));
  return Inference(graph, std::move(sizes)).Run();
}

}  // namespace lichen::tile

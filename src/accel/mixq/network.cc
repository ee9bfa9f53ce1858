#include "accel/mixq/network.h"

#include <algorithm>
#include <bit>

#include "net/proof.h"
#include "net/shapes.h"

namespace lichen::mixq {
namespace {

constexpr int kMaxBits = 15;
constexpr int64_t kMaxLineValues = int64_t{1}
                                   << 20;  // of a line buffer, or of the rows of a linear layer

// Bits of [0, 2^bits - 1]; 0: another range.
int UnsignedBits(ValueRange range) {
  const int bits = BitsOf(range);
  if (range.min != 0 || bits > kMaxBits || range.max != (int64_t{1} << bits) - 1) return 0;
  return bits;
}

bool IsSquare(const Geometry& g) {
  return g.kernel_h == g.kernel_w && g.pad_top == g.pad_bottom && g.pad_top == g.pad_left &&
         g.pad_top == g.pad_right && g.pad_top >= 0;
}

bool HasPreShift(const ChannelRequant& r) {
  return std::ranges::any_of(r.pre_shift, [](uint8_t shift) { return shift != 0; });
}

bool IsPlain(const ChannelRequant& r) {
  return r.post_shift == 0 && std::ranges::all_of(r.multiplier, [](int64_t m) { return m == 1; });
}

std::vector<int64_t> PerChannel(const std::vector<int64_t>& values, int64_t channels) {
  if (values.size() != 1) return values;
  return std::vector<int64_t>(static_cast<size_t>(channels), values[0]);
}

class Builder {
 public:
  Builder(const IntGraph& graph, const std::vector<Size2>& sizes) : graph_(graph), sizes_(sizes) {}

  Result<Network> Run() {
    network_.graph = &graph_;
    for (size_t i = 0; i < graph_.tensors.size(); ++i) {
      const TensorInfo& info = graph_.tensors[i];
      network_.places.push_back({.name = info.name,
                                 .size = sizes_[i],
                                 .channels = info.channels,
                                 .bits = BitsOf(info.range),
                                 .is_signed = info.range.min < 0});
    }
    const TensorInfo& picture = graph_.tensor(graph_.inputs[0]);
    if (picture.range != ValueRange{0, 255}) {
      return Fail("'{}' has the range [{}, {}]: the picture must be of bytes, [0, 255]",
                  picture.name, picture.range.min, picture.range.max);
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) {
      const IntNode& node = graph_.nodes[i];
      const TensorInfo& output = graph_.tensor(node.output);
      for (const TensorId id : node.inputs) {
        if (network_.place(id).is_signed) {
          return Fail("layer '{}' reads negative values: activations must be unsigned",
                      output.name);
        }
        ++network_.places[static_cast<size_t>(id.index)].readers;
      }
      LICHEN_TRY_VOID(InPlace(fmt::format("layer '{}'", output.name), Add(i)));
    }
    ++network_.places[static_cast<size_t>(graph_.outputs[0].index)].readers;
    for (const Place& place : network_.places) {
      if (place.readers < 1 || place.readers > 2) {
        return Fail("'{}' is read by {} layers: one reads it, or two where a bypass begins",
                    place.name, place.readers);
      }
    }
    if (network_.layers.empty()) return Fail("the network has no layer with weights");
    return std::move(network_);
  }

 private:
  Result<void> Add(size_t index) {
    const IntNode& node = graph_.nodes[index];
    switch (node.kind) {
      case OpKind::kConv2d:
      case OpKind::kLinear:
        return AddLayer(index);
      case OpKind::kMaxPool:
        if (Geometry{.kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2} != node.geometry) {
          return Fail("pools other than 2x2 windows in steps of 2, which alone the library has");
        }
        return {};
      case OpKind::kRequant:
        return CheckScale(node);
      case OpKind::kSpaceToDepth:
        if (node.geometry.block == 2) return {};
        return Fail("has blocks of {}; the library has 2", node.geometry.block);
      case OpKind::kConcat:
        if (node.inputs.size() == 2) return {};
        return Fail("joins {} inputs; the library joins 2", node.inputs.size());
      default:
        return Fail(
            "is a {}; the library has Conv2d, Linear, MaxPool, and Requant, SpaceToDepth and "
            "Concat of a bypass. `lichen compile` and `lichen emit` take it",
            Name(node.kind));
    }
  }

  Result<void> CheckScale(const IntNode& node) {
    const ValueRange range = graph_.tensor(node.output).range;
    if (UnsignedBits(range) == 0) {
      return Fail("gives [{}, {}]; the library has unsigned activations of 1 to {} bits alone",
                  range.min, range.max, kMaxBits);
    }
    const ChannelRequant& r = node.params.requant;
    const bool is_uniform = r.multiplier.size() == 1 && r.pre_shift.size() == 1 &&
                            std::ranges::all_of(r.bias, [](int64_t b) { return b == 0; });
    const int64_t multiplier = r.multiplier[0];
    if (!is_uniform || multiplier < 0 || multiplier > INT32_MAX)
      return Fail("scales by more than one multiplier of 31 bits");
    return {};
  }

  Result<void> CheckGeometry(const IntNode& node, Layer& layer) const {
    const Geometry& g = node.geometry;
    const Place& in = network_.input(layer);
    const Place& out = network_.output(layer);
    if (!node.params.mask.empty()) return Fail("has a mask of blocks, which the library has not");
    if (layer.is_linear) return {};
    if (!IsSquare(g)) return Fail("has a kernel or padding that is not square");
    if (g.stride_h != 1 || g.stride_w != 1) {
      return Fail("has stride {}x{}; the library has stride 1: pool instead", g.stride_h,
                  g.stride_w);
    }
    layer.is_depthwise = g.groups > 1;
    if (layer.is_depthwise && (g.groups != in.channels || in.channels != out.channels)) {
      return Fail("has {} groups of {} channels; the library has 1 group, or 1 channel in each",
                  g.groups, in.channels / g.groups);
    }
    layer.kernel = g.kernel_h;
    layer.pad = g.pad_top;
    return {};
  }

  Result<void> AddLayer(size_t index) {
    const IntNode& node = graph_.nodes[index];
    const TensorInfo& info = graph_.tensor(node.output);
    const IntParams& p = node.params;
    Layer layer{.number = static_cast<int>(network_.layers.size()),
                .name = info.name,
                .is_linear = node.kind == OpKind::kLinear,
                .node = index,
                .input = static_cast<size_t>(node.inputs[0].index),
                .output = static_cast<size_t>(node.output.index)};
    LICHEN_TRY_VOID(CheckGeometry(node, layer));
    layer.weight_bits = std::max(p.weight_bits, SignedBitsOf(p.weights));
    if (HasPreShift(p.requant)) return Fail("has a pre_shift, which the library has not");
    layer.bias = PerChannel(p.requant.bias, info.channels);
    layer.bias_bits = SignedBits(layer.bias);
    const Place& in = network_.input(layer);
    const int64_t rows = layer.is_linear ? 1 : layer.kernel;
    if (rows * in.size.w * in.channels > kMaxLineValues) {
      return Fail("keeps {} rows of {} x {} values, more than {}: take a smaller picture", rows,
                  in.size.w, in.channels, kMaxLineValues);
    }
    if (IsLast(node) && IsPlain(p.requant) && Contains(node)) {
      Place& out = network_.places[layer.output];
      const int64_t products = layer.is_depthwise ? layer.kernel * layer.kernel
                               : layer.is_linear  ? in.size.h * in.size.w * in.channels
                                                  : layer.kernel * layer.kernel * in.channels;
      const int sum_bits = layer.weight_bits + in.bits +
                           static_cast<int>(std::bit_width(static_cast<uint64_t>(products - 1)));
      out.bits = std::max(sum_bits, layer.bias_bits) + 1;
      out.is_signed = true;
    } else if (const int bits = UnsignedBits(info.range); bits > 0) {
      Activate(p.requant, bits, layer);
    } else {
      return Fail(
          "gives [{}, {}]: the library's layers give unsigned values of 1 to {} bits, the last one "
          "plain sums",
          info.range.min, info.range.max, kMaxBits);
    }
    network_.layers.push_back(std::move(layer));
    return {};
  }

  void Activate(const ChannelRequant& r, int bits, Layer& layer) {
    layer.inc = PerChannel(r.multiplier, network_.output(layer).channels);
    layer.inc_bits = SignedBits(layer.inc);
    layer.shift = r.post_shift;
    network_.places[layer.output].bits = bits;
  }

  bool IsLast(const IntNode& node) const { return node.output == graph_.outputs[0]; }
  // Whether its plain sums are not cut.
  bool Contains(const IntNode& node) const {
    return graph_.tensor(node.output).range.Contains(PlainSumRange(graph_, node));
  }

  const IntGraph& graph_;
  const std::vector<Size2>& sizes_;
  Network network_;
};

}  // namespace

int SignedBits(const std::vector<int64_t>& values) {
  uint64_t largest = 0;
  for (const int64_t v : values) {
    largest = std::max(largest, static_cast<uint64_t>(v < 0 ? -v : v));
  }
  return 1 + static_cast<int>(std::bit_width(largest));
}

std::string Layer::Variable() const {
  return fmt::format("{}_{}", is_linear ? "linear" : "conv", number);
}

std::string Layer::Macro() const {
  return fmt::format("{}_{}", is_linear ? "LINEAR" : "CONV", number);
}

const Layer* Network::LayerOf(size_t node) const {
  const auto it = std::ranges::find(layers, node, &Layer::node);
  return it == layers.end() ? nullptr : &*it;
}

Result<Network> FromGraph(const IntNet& net, Size2 picture) {
  const IntGraph* graph = net.Find("main");
  if (!graph) return Fail("the model has no graph 'main': it is a codec, not a CNN");
  if (graph->inputs.size() != 1 || graph->outputs.size() != 1) {
    return Fail("graph 'main' must have one input and one output");
  }
  LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(*graph, {picture}));
  return Builder(*graph, sizes).Run();
}

}  // namespace lichen::mixq

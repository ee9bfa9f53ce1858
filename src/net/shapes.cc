#include "net/shapes.h"

#include <algorithm>
#include <string_view>

#include "net/limits.h"

namespace lichen {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Windows of `kernel` in steps of `stride` over `padded` rows; 0 where none fits.
int64_t Windows(int64_t padded, int64_t kernel, int64_t stride) {
  return padded < kernel ? 0 : (padded - kernel) / stride + 1;
}

Size2 ConvTransposeSize(const Geometry& g, Size2 in, Size2 reference) {
  const Size2 full = {in.h * g.stride_h, in.w * g.stride_w};
  if (reference == Size2{}) return full;
  return {CeilDiv(reference.h, g.output_divisor), CeilDiv(reference.w, g.output_divisor)};
}

// The output size of one node, or the reason why its inputs do not fit it.
Result<Size2> OutputSize(OpKind kind, const Geometry& g, const std::vector<Size2>& in,
                         Size2 reference) {
  const Size2 first = in[0];
  for (const Size2& other : in) {
    if (other == first) continue;
    return Fail("its inputs have different sizes, {}x{} and {}x{}", first.h, first.w, other.h,
                other.w);
  }
  switch (kind) {
    case OpKind::kConv2d:
      return Size2{Windows(first.h + g.pad_top + g.pad_bottom, g.kernel_h, g.stride_h),
                   Windows(first.w + g.pad_left + g.pad_right, g.kernel_w, g.stride_w)};
    case OpKind::kConvTranspose2d: {
      const Size2 full = ConvTransposeSize(g, first, {});
      const Size2 size = ConvTransposeSize(g, first, reference);
      if (size.h > full.h || size.w > full.w) {
        return Fail("{}x{} is wanted for a picture of {}x{}, but its input {}x{} gives only {}x{}",
                    size.h, size.w, reference.h, reference.w, first.h, first.w, full.h, full.w);
      }
      return size;
    }
    case OpKind::kDepthToSpace:
      return Size2{first.h * g.block - 2 * g.crop, first.w * g.block - 2 * g.crop};
    case OpKind::kSpaceToDepth:
      if (first.h % g.block != 0 || first.w % g.block != 0) {
        return Fail("its input {}x{} is not a multiple of its block {}", first.h, first.w, g.block);
      }
      return Size2{first.h / g.block, first.w / g.block};
    case OpKind::kMaxPool:
      return Size2{Windows(first.h, g.kernel_h, g.stride_h),
                   Windows(first.w, g.kernel_w, g.stride_w)};
    case OpKind::kLinear:
      if (first != Size2{g.kernel_h, g.kernel_w}) {
        return Fail("it needs an input of {}x{}, not {}x{}", g.kernel_h, g.kernel_w, first.h,
                    first.w);
      }
      return Size2{1, 1};
    default:
      return first;
  }
}

Result<void> CheckSize(Size2 size, int64_t channels) {
  if (size.h <= 0 || size.w <= 0) return Fail("its output is empty ({}x{})", size.h, size.w);
  if (size.h > kMaxSize || size.w > kMaxSize || size.h > kMaxElements / size.w ||
      size.h * size.w > kMaxElements / channels) {
    return Fail("its output {}x{}x{} is too large", size.h, size.w, channels);
  }
  return {};
}

template <class GraphType>
Result<std::vector<Size2>> Infer(const GraphType& graph, const std::vector<Size2>& inputs,
                                 Size2 reference) {
  if (inputs.size() != graph.inputs.size()) {
    return Fail("graph {}: {} input sizes given, it has {} inputs", graph.name, inputs.size(),
                graph.inputs.size());
  }
  if (reference.h < 0 || reference.w < 0 || reference.h > kMaxSize || reference.w > kMaxSize) {
    return Fail("graph {}: picture size {}x{} is out of range", graph.name, reference.h,
                reference.w);
  }
  std::vector<Size2> sizes(graph.tensors.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const TensorInfo& tensor = graph.tensor(graph.inputs[i]);
    LICHEN_TRY_VOID(InPlace(fmt::format("graph {}, input {}", graph.name, tensor.name),
                            CheckSize(inputs[i], tensor.channels)));
    sizes[static_cast<size_t>(graph.inputs[i].index)] = inputs[i];
  }
  for (const auto& node : graph.nodes) {
    const TensorInfo& output = graph.tensor(node.output);
    const std::string place =
        fmt::format("graph {}, node {} ({})", graph.name, output.name, Name(node.kind));
    std::vector<Size2> in;
    for (TensorId id : node.inputs) in.push_back(sizes[static_cast<size_t>(id.index)]);
    LICHEN_TRY(const Size2 size,
               InPlace(place, OutputSize(node.kind, node.geometry, in, reference)));
    LICHEN_TRY_VOID(InPlace(place, CheckSize(size, output.channels)));
    sizes[static_cast<size_t>(node.output.index)] = size;
  }
  return sizes;
}

// The size of a graph input by its name, or {0, 0}.
Size2 InputSize(const std::map<std::string, Size2>& sizes, std::string_view graph, std::string name,
                Size2 picture) {
  if (const auto it = sizes.find(name); it != sizes.end()) return it->second;
  if (graph == "main" || graph == "analysis") return picture;
  constexpr std::string_view kDecoded = "_hat";
  if (!name.ends_with(kDecoded)) return {};
  name.resize(name.size() - kDecoded.size());
  const auto it = sizes.find(name);
  return it == sizes.end() ? Size2{} : it->second;
}

template <class GraphType>
Result<std::map<std::string, Size2>> InferModel(const std::vector<GraphType>& graphs, Size2 picture,
                                                int64_t multiple) {
  if (picture.h < 1 || picture.w < 1 || picture.h > kMaxSize || picture.w > kMaxSize) {
    return Fail("picture size {}x{} is out of range", picture.h, picture.w);
  }
  const Size2 padded = {CeilDiv(picture.h, multiple) * multiple,
                        CeilDiv(picture.w, multiple) * multiple};
  std::map<std::string, Size2> sizes;
  std::vector<bool> is_done(graphs.size());
  for (size_t pass = 0; pass < graphs.size(); ++pass) {
    for (size_t i = 0; i < graphs.size(); ++i) {
      if (is_done[i]) continue;
      std::vector<Size2> inputs;
      for (TensorId id : graphs[i].inputs) {
        inputs.push_back(InputSize(sizes, graphs[i].name, graphs[i].tensor(id).name, padded));
      }
      if (std::find(inputs.begin(), inputs.end(), Size2{}) != inputs.end()) continue;
      LICHEN_TRY(const std::vector<Size2> inferred, Infer(graphs[i], inputs, padded));
      for (size_t t = 0; t < inferred.size(); ++t) sizes[graphs[i].tensors[t].name] = inferred[t];
      is_done[i] = true;
    }
  }
  return sizes;
}

// How many (output row, tap) pairs a transposed convolution has along one axis.
int64_t TransposedTaps(int64_t output, int64_t kernel, int64_t stride, int64_t pad) {
  int64_t taps = 0;
  for (int64_t k = 0; k < kernel; ++k) {
    // Rows o in [0, output) with (o + pad - k) a multiple of stride.
    const int64_t first = (((k - pad) % stride) + stride) % stride;
    if (first < output) taps += (output - first - 1) / stride + 1;
  }
  return taps;
}

// Weights that are used per output pixel of a convolution.
template <class Params>
int64_t WeightsPerPixel(const Geometry& g, int64_t in, int64_t out, const Params& params) {
  if constexpr (requires { params.mask; }) {
    if (params.mask_block > 0) {
      const int64_t on = std::count(params.mask.begin(), params.mask.end(), uint8_t{1});
      return on * params.mask_block * params.mask_block;
    }
  }
  return int64_t{g.kernel_h} * g.kernel_w * (in / g.groups) * out;
}

template <class GraphType, class NodeType>
int64_t Count(const GraphType& graph, const NodeType& node, Size2 output, Size2 input) {
  const Geometry& g = node.geometry;
  const int64_t in = graph.tensor(node.inputs[0]).channels;
  const int64_t out = graph.tensor(node.output).channels;
  switch (node.kind) {
    case OpKind::kConv2d:
      return output.h * output.w * WeightsPerPixel(g, in, out, node.params);
    case OpKind::kConvTranspose2d:
      return TransposedTaps(output.h, g.kernel_h, g.stride_h, g.pad_top) *
             TransposedTaps(output.w, g.kernel_w, g.stride_w, g.pad_left) * (in / g.groups) * out;
    case OpKind::kLinear:
      return input.h * input.w * in * out;
    case OpKind::kGdn:
    case OpKind::kIgdn:
    case OpKind::kLagc:
      return output.h * output.w * in * out;
    default:
      return 0;
  }
}

}  // namespace

Result<std::vector<Size2>> InferSizes(const IntGraph& graph, const std::vector<Size2>& inputs,
                                      Size2 reference) {
  return Infer(graph, inputs, reference);
}

Result<std::vector<Size2>> InferSizes(const FloatGraph& graph, const std::vector<Size2>& inputs,
                                      Size2 reference) {
  return Infer(graph, inputs, reference);
}

Result<std::map<std::string, Size2>> InferModelSizes(const IntNet& net, Size2 picture) {
  return InferModel(net.graphs, picture, net.coding.size_multiple);
}

Result<std::map<std::string, Size2>> InferModelSizes(const FloatNet& net, Size2 picture) {
  return InferModel(net.graphs, picture, net.size_multiple);
}

int64_t MacCount(const IntGraph& graph, const IntNode& node, Size2 output, Size2 input) {
  return Count(graph, node, output, input);
}

int64_t MacCount(const FloatGraph& graph, const FloatNode& node, Size2 output, Size2 input) {
  return Count(graph, node, output, input);
}

}  // namespace lichen

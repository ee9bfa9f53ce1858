#include "engine/reference.h"

#include <utility>

#include "kernels/operators_ref.h"
#include "net/shapes.h"

namespace lichen {
namespace {

void RunNode(const IntNode& node, std::span<const ConstView> x, ValueRange range,
             MutableView out) {
  const IntParams& p = node.params;
  const GdnWeights gdn{p.weights, p.requant, p.inner_range};
  switch (node.kind) {
    case OpKind::kConv2d:
    case OpKind::kLinear:
      return Conv2dRef(x[0], p.weights, node.geometry, p.requant, range, out);
    case OpKind::kConvTranspose2d:
      return ConvTranspose2dRef(x[0], p.weights, node.geometry, p.requant, range, out);
    case OpKind::kDepthToSpace:
      return DepthToSpaceRef(x[0], node.geometry.block, node.geometry.crop, out);
    case OpKind::kSpaceToDepth:
      return SpaceToDepthRef(x[0], node.geometry.block, out);
    case OpKind::kGdn:
      return GdnRef(x[0], gdn, p.output_requant, range, out);
    case OpKind::kIgdn:
      return IgdnRef(x[0], gdn, p.output_requant, range, out);
    case OpKind::kLagc:
      return LagcRef(x[0],
                     {p.weights, p.requant, p.inner_range, p.table, p.table_first, p.gain_requant,
                      p.gain_range},
                     p.output_requant, range, out);
    case OpKind::kLeakyRelu:
      return LeakyReluRef(x[0], p.slope_shift, range, out);
    case OpKind::kAdd:
      return AddRef(x[0], x[1], range, out);
    case OpKind::kConcat:
      return ConcatRef(x, out);
    case OpKind::kMaxPool:
      return MaxPoolRef(x[0], node.geometry, out);
    case OpKind::kLut:
      return LutRef(x[0], p.table, p.table_first, range, out);
    case OpKind::kClamp:
      return ClampRef(x[0], range, out);
    case OpKind::kRequant:
      return RequantRef(x[0], p.requant, range, out);
  }
}

}  // namespace

Result<std::vector<Tensor<int32_t>>> RunReference(const IntGraph& graph,
                                                  std::vector<Tensor<int32_t>> inputs,
                                                  Size2 reference) {
  LICHEN_CHECK(inputs.size() == graph.inputs.size());
  std::vector<Size2> input_sizes;
  for (const auto& input : inputs) input_sizes.push_back({input.shape().h, input.shape().w});
  LICHEN_TRY(const std::vector<Size2> sizes, InferSizes(graph, input_sizes, reference));
  const int64_t batch = inputs.empty() ? 1 : inputs[0].shape().n;

  std::vector<Tensor<int32_t>> tensors(graph.tensors.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    LICHEN_CHECK(inputs[i].shape().c == graph.tensor(graph.inputs[i]).channels);
    tensors[static_cast<size_t>(graph.inputs[i].index)] = std::move(inputs[i]);
  }
  for (const IntNode& node : graph.nodes) {
    std::vector<ConstView> views;
    for (TensorId id : node.inputs) {
      views.push_back(std::as_const(tensors[static_cast<size_t>(id.index)]).view());
    }
    const size_t out = static_cast<size_t>(node.output.index);
    const TensorInfo& info = graph.tensors[out];
    tensors[out] = Tensor<int32_t>({batch, sizes[out].h, sizes[out].w, info.channels});
    RunNode(node, views, info.range, tensors[out].view());
  }
  return tensors;
}

}  // namespace lichen

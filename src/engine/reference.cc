#include "engine/reference.h"

#include <utility>

#include "engine/generic_node.h"
#include "kernels/operators_ref.h"
#include "net/shapes.h"

namespace lichen {
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
    RunOperator(node, views, info.range, tensors[out].view());
  }
  return tensors;
}

}  // namespace lichen

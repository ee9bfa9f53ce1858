// Builds a Graph tensor by tensor, in the order in which its nodes run.
//
//   GraphBuilder<IntParams> builder("main");
//   const TensorId x = builder.Input({.name = "x", .channels = 3, .range = {0, 255}});
//   const TensorId y = builder.Add(OpKind::kConv2d, {x}, {.name = "y", ...}, geometry, params);
//   builder.Output(y);
//   IntGraph graph = std::move(builder).Build();
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "net/graph.h"

namespace lichen {

template <class Params>
class GraphBuilder {
 public:
  explicit GraphBuilder(std::string name) { graph_.name = std::move(name); }

  TensorId Input(TensorInfo info) {
    graph_.inputs.push_back(AddTensor(std::move(info)));
    return graph_.inputs.back();
  }

  // Appends a node together with the tensor that it writes.
  TensorId Add(OpKind kind, std::vector<TensorId> inputs, TensorInfo output, Geometry geometry = {},
               Params params = {}) {
    const TensorId id = AddTensor(std::move(output));
    graph_.nodes.push_back({kind, std::move(inputs), id, geometry, std::move(params)});
    return id;
  }

  void Output(TensorId id) { graph_.outputs.push_back(id); }

  const TensorInfo& tensor(TensorId id) const { return graph_.tensor(id); }
  TensorInfo& tensor(TensorId id) { return graph_.tensor(id); }
  const Graph<Params>& graph() const { return graph_; }
  Graph<Params> Build() && { return std::move(graph_); }

 private:
  TensorId AddTensor(TensorInfo info) {
    graph_.tensors.push_back(std::move(info));
    return {static_cast<int32_t>(graph_.tensors.size()) - 1};
  }

  Graph<Params> graph_;
};

}  // namespace lichen

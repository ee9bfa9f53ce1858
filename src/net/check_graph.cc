#include "net/check_graph.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

#include "net/limits.h"

namespace lichen {
namespace {

constexpr size_t kMaxNameBytes = 255;
constexpr std::array<std::string_view, 7> kGraphNames = {
    "analysis",           "synthesis", "hyper_analysis", "hyper_synthesis", "context",
    "entropy_parameters", "main"};

bool IsLegalName(std::string_view name) {
  const auto is_legal = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
  };
  return !name.empty() && name.size() <= kMaxNameBytes && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), is_legal);
}

bool IsWithin(int64_t value, int64_t low, int64_t high) { return low <= value && value <= high; }

Result<void> CheckTensor(const TensorInfo& tensor) {
  if (!IsLegalName(tensor.name)) {
    return Fail("a tensor's name has to consist of letters, digits, '_', '.' and '-'");
  }
  if (!IsWithin(tensor.channels, 1, kMaxChannels)) {
    return Fail("tensor {}: {} channels, allowed are 1 to {}", tensor.name, tensor.channels,
                kMaxChannels);
  }
  const size_t scales = tensor.scale.size();
  if (scales != 1 && scales != static_cast<size_t>(tensor.channels)) {
    return Fail("tensor {}: {} scales for {} channels", tensor.name, scales, tensor.channels);
  }
  for (double scale : tensor.scale) {
    if (!std::isfinite(scale) || scale <= 0) {
      return Fail("tensor {}: scale {} is not positive and finite", tensor.name, scale);
    }
  }
  return {};
}

// The geometry with every field that the operator does not use at its default.
Geometry UsedGeometry(OpKind kind, const Geometry& g) {
  Geometry used;
  const bool has_kernel = kind == OpKind::kConv2d || kind == OpKind::kConvTranspose2d ||
                          kind == OpKind::kMaxPool || kind == OpKind::kLinear;
  if (has_kernel) {
    used.kernel_h = g.kernel_h;
    used.kernel_w = g.kernel_w;
  }
  if (has_kernel && kind != OpKind::kLinear) {
    used.stride_h = g.stride_h;
    used.stride_w = g.stride_w;
  }
  if (kind == OpKind::kConv2d || kind == OpKind::kConvTranspose2d) {
    used.pad_top = g.pad_top;
    used.pad_left = g.pad_left;
    used.groups = g.groups;
  }
  if (kind == OpKind::kConv2d) {
    used.pad_bottom = g.pad_bottom;
    used.pad_right = g.pad_right;
  }
  if (kind == OpKind::kConvTranspose2d) used.output_divisor = g.output_divisor;
  if (kind == OpKind::kDepthToSpace || kind == OpKind::kSpaceToDepth) used.block = g.block;
  if (kind == OpKind::kDepthToSpace) used.crop = g.crop;
  return used;
}

Result<void> CheckGeometry(OpKind kind, Geometry g) {
  for (int64_t value : {g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.output_divisor}) {
    if (!IsWithin(value, 1, kMaxKernel)) {
      return Fail("kernel, stride and output_divisor have to be 1 to {}, not {}", kMaxKernel,
                  value);
    }
  }
  for (int64_t pad : {g.pad_top, g.pad_left}) {
    if (!IsWithin(pad, 0, kMaxKernel)) return Fail("pad_top or pad_left {} is out of range", pad);
  }
  for (int64_t pad : {g.pad_bottom, g.pad_right}) {
    if (!IsWithin(pad, -kMaxKernel, kMaxKernel)) {
      return Fail("pad_bottom or pad_right {} is out of range", pad);
    }
  }
  if (!IsWithin(g.groups, 1, kMaxChannels)) return Fail("groups {} is out of range", g.groups);
  if (!IsWithin(g.block, 1, kMaxBlock)) return Fail("block {} is not 1 to {}", g.block, kMaxBlock);
  if (!IsWithin(g.crop, 0, kMaxBlock)) return Fail("crop {} is not 0 to {}", g.crop, kMaxBlock);
  // ConvTranspose2d may carry the symmetric pads of its adjoint.
  if (kind == OpKind::kConvTranspose2d && (g.pad_bottom == g.pad_top || g.pad_bottom == 0) &&
      (g.pad_right == g.pad_left || g.pad_right == 0)) {
    g.pad_bottom = 0;
    g.pad_right = 0;
  }
  if (UsedGeometry(kind, g) != g) return Fail("a geometry field that it does not use is set");
  return {};
}

Result<void> CheckChannels(OpKind kind, const Geometry& g, const std::vector<int64_t>& in,
                           int64_t out) {
  const int64_t area = int64_t{g.block} * g.block;
  switch (kind) {
    case OpKind::kConv2d:
    case OpKind::kConvTranspose2d:
      if (in[0] % g.groups != 0 || out % g.groups != 0) {
        return Fail("{} input and {} output channels do not divide into {} groups", in[0], out,
                    g.groups);
      }
      return {};
    case OpKind::kLinear:
      return {};
    case OpKind::kDepthToSpace:
      if (in[0] != out * area) return Fail("{} channels do not give {} by blocks", in[0], out);
      return {};
    case OpKind::kSpaceToDepth:
      if (out != in[0] * area) return Fail("{} channels do not give {} by blocks", in[0], out);
      return {};
    case OpKind::kConcat: {
      int64_t sum = 0;
      for (int64_t channels : in) sum += channels;
      if (sum != out) return Fail("its inputs have {} channels, its output {}", sum, out);
      return {};
    }
    default:
      for (int64_t channels : in) {
        if (channels != out) return Fail("{} input channels, {} output channels", channels, out);
      }
      return {};
  }
}

Result<void> CheckInputCount(OpKind kind, size_t count) {
  if (kind == OpKind::kConcat) {
    if (count < 1 || count > kMaxNodeInputs) {
      return Fail("{} inputs, allowed are 1 to {}", count, kMaxNodeInputs);
    }
    return {};
  }
  const size_t wanted = kind == OpKind::kAdd ? 2 : 1;
  if (count != wanted) return Fail("{} inputs, it takes {}", count, wanted);
  return {};
}

// `is_written` says which tensors are known so far; the node's output joins them.
template <class Params>
Result<void> CheckNode(const Graph<Params>& graph, const Node<Params>& node,
                       std::vector<bool>& is_written) {
  if (static_cast<int>(node.kind) >= kOpKindCount) return Fail("the operator is unknown");
  LICHEN_TRY_VOID(CheckInputCount(node.kind, node.inputs.size()));
  const auto is_known = [&](TensorId id) {
    return id.index >= 0 && static_cast<size_t>(id.index) < graph.tensors.size();
  };
  std::vector<int64_t> in;
  for (TensorId id : node.inputs) {
    if (!is_known(id)) return Fail("input {} is not a tensor of the graph", id.index);
    if (!is_written[static_cast<size_t>(id.index)]) {
      return Fail("input {} is not written by an earlier node", graph.tensor(id).name);
    }
    in.push_back(graph.tensor(id).channels);
  }
  if (!is_known(node.output))
    return Fail("output {} is not a tensor of the graph", node.output.index);
  auto written = is_written[static_cast<size_t>(node.output.index)];
  if (written) return Fail("its output is written twice");
  written = true;
  LICHEN_TRY_VOID(CheckGeometry(node.kind, node.geometry));
  const int64_t out = graph.tensor(node.output).channels;
  LICHEN_TRY_VOID(CheckChannels(node.kind, node.geometry, in, out));
  const int64_t count = WeightCount(node.kind, node.geometry, in[0], out);
  if (count != static_cast<int64_t>(node.params.weights.size())) {
    return Fail("{} weights, it needs {}", node.params.weights.size(), count);
  }
  return {};
}

template <class Params>
Result<void> CheckEnds(const Graph<Params>& graph, const std::vector<TensorId>& ends,
                       std::string_view what) {
  if (ends.empty()) return Fail("it has no {}", what);
  std::set<int32_t> seen;
  for (TensorId id : ends) {
    if (id.index < 0 || static_cast<size_t>(id.index) >= graph.tensors.size()) {
      return Fail("{} {} is not a tensor of the graph", what, id.index);
    }
    if (!seen.insert(id.index).second) {
      return Fail("{} {} is listed twice", what, graph.tensor(id).name);
    }
  }
  return {};
}

template <class Params>
Result<void> CheckGraph(const Graph<Params>& graph) {
  if (graph.nodes.size() > kMaxNodes || graph.tensors.size() > kMaxTensors) {
    return Fail("{} nodes and {} tensors, allowed are {} and {}", graph.nodes.size(),
                graph.tensors.size(), kMaxNodes, kMaxTensors);
  }
  std::set<std::string_view> names;
  for (const TensorInfo& tensor : graph.tensors) {
    LICHEN_TRY_VOID(CheckTensor(tensor));
    if (!names.insert(tensor.name).second) return Fail("two tensors are named {}", tensor.name);
  }
  LICHEN_TRY_VOID(CheckEnds(graph, graph.inputs, "input"));
  LICHEN_TRY_VOID(CheckEnds(graph, graph.outputs, "output"));
  std::vector<bool> is_written(graph.tensors.size());
  for (TensorId id : graph.inputs) is_written[static_cast<size_t>(id.index)] = true;
  for (const Node<Params>& node : graph.nodes) {
    if (auto result = CheckNode(graph, node, is_written); !result) {
      return InPlace(PlaceOf(graph, node), std::move(result));
    }
  }
  for (size_t i = 0; i < is_written.size(); ++i) {
    if (!is_written[i]) return Fail("tensor {} is never written", graph.tensors[i].name);
  }
  return {};
}

// Tensor names are unique in the model, but for graph inputs, which carry the name of the tensor
// that feeds them (channels alike, its range within theirs).
template <class Params>
Result<void> CheckLinks(const std::vector<Graph<Params>>& graphs) {
  struct Use {
    const TensorInfo* tensor;
    std::string_view graph;
    bool is_input;
  };
  std::map<std::string_view, std::vector<Use>> uses;
  for (const Graph<Params>& graph : graphs) {
    std::vector<bool> is_input(graph.tensors.size());
    for (TensorId id : graph.inputs) is_input[static_cast<size_t>(id.index)] = true;
    for (size_t i = 0; i < graph.tensors.size(); ++i) {
      uses[graph.tensors[i].name].push_back({&graph.tensors[i], graph.name, is_input[i]});
    }
  }
  for (auto& [name, list] : uses) {
    std::stable_partition(list.begin(), list.end(), [](const Use& use) { return !use.is_input; });
    const Use& source = list.front();
    for (size_t i = 1; i < list.size(); ++i) {
      const Use& use = list[i];
      if (!use.is_input) {
        return Fail("graphs {} and {} both write a tensor named {}", source.graph, use.graph, name);
      }
      if (use.tensor->channels != source.tensor->channels) {
        return Fail("graph {}, input {}: {} channels, but {} in graph {}", use.graph, name,
                    use.tensor->channels, source.tensor->channels, source.graph);
      }
      const bool fits = source.is_input ? use.tensor->range == source.tensor->range
                                        : use.tensor->range.Contains(source.tensor->range);
      if (!fits) {
        return Fail("graph {}, input {}: its range is not that of the tensor in graph {}",
                    use.graph, name, source.graph);
      }
    }
  }
  return {};
}

}  // namespace

FieldUse FieldsOf(OpKind kind) {
  switch (kind) {
    case OpKind::kConv2d:
      return {.weights = true, .mask = true};
    case OpKind::kConvTranspose2d:
    case OpKind::kLinear:
    case OpKind::kGdn:
    case OpKind::kIgdn:
      return {.weights = true};
    case OpKind::kLagc:
      return {.weights = true, .table = true, .lagc = true};
    case OpKind::kLeakyRelu:
      return {.slope = true};
    case OpKind::kLut:
      return {.table = true};
    default:
      return {};
  }
}

int64_t WeightCount(OpKind kind, const Geometry& g, int64_t in, int64_t out) {
  switch (kind) {
    case OpKind::kConv2d:
    case OpKind::kConvTranspose2d:
    case OpKind::kLinear: {
      // At most 2^64 in three steps of at most 2^32: saturate instead of wrapping.
      const __int128 count = __int128{g.kernel_h} * g.kernel_w * (in / g.groups) * out;
      return count > kMaxWeights ? kMaxWeights + 1 : static_cast<int64_t>(count);
    }
    case OpKind::kGdn:
    case OpKind::kIgdn:
    case OpKind::kLagc:
      return in * out;
    default:
      return 0;
  }
}

template <class Params>
Result<void> CheckGraphs(const std::vector<Graph<Params>>& graphs) {
  if (graphs.empty() || graphs.size() > kMaxGraphs) {
    return Fail("the model has {} graphs, allowed are 1 to {}", graphs.size(), kMaxGraphs);
  }
  std::set<std::string_view> names;
  size_t weights = 0;
  size_t entries = 0;
  for (const Graph<Params>& graph : graphs) {
    if (std::find(kGraphNames.begin(), kGraphNames.end(), graph.name) == kGraphNames.end()) {
      return Fail("there is no graph kind named '{}'", graph.name);
    }
    if (!names.insert(graph.name).second) return Fail("two graphs are named {}", graph.name);
    LICHEN_TRY_VOID(InPlace(fmt::format("graph {}", graph.name), CheckGraph(graph)));
    for (const Node<Params>& node : graph.nodes) {
      weights += node.params.weights.size();
      entries += node.params.table.size();
    }
  }
  if (weights > kMaxWeights) return Fail("{} weights, allowed are {}", weights, kMaxWeights);
  if (entries > kMaxTableEntries) {
    return Fail("{} table entries, allowed are {}", entries, kMaxTableEntries);
  }
  return CheckLinks(graphs);
}

template Result<void> CheckGraphs(const std::vector<IntGraph>& graphs);
template Result<void> CheckGraphs(const std::vector<FloatGraph>& graphs);

}  // namespace lichen

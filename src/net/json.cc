#include "net/json.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "net/check.h"
#include "net/identity.h"
#include "net/shapes.h"

namespace lichen {
namespace {

using nlohmann::json;
using Sizes = std::map<std::string, Size2>;
using Proofs = std::map<std::string, AccumulatorProof>;

json GeometryJson(const Geometry& g) {
  const Geometry none;
  json out = json::object();
  const auto add = [&](const char* key, int32_t value, int32_t otherwise) {
    if (value != otherwise) out[key] = value;
  };
  add("kernel_h", g.kernel_h, none.kernel_h);
  add("kernel_w", g.kernel_w, none.kernel_w);
  add("stride_h", g.stride_h, none.stride_h);
  add("stride_w", g.stride_w, none.stride_w);
  add("pad_top", g.pad_top, none.pad_top);
  add("pad_bottom", g.pad_bottom, none.pad_bottom);
  add("pad_left", g.pad_left, none.pad_left);
  add("pad_right", g.pad_right, none.pad_right);
  add("groups", g.groups, none.groups);
  add("block", g.block, none.block);
  add("crop", g.crop, none.crop);
  add("output_divisor", g.output_divisor, none.output_divisor);
  return out;
}

json ProofJson(const AccumulatorProof& proof) {
  return {{"weight_bits", proof.weight_bits},
          {"input_bits", proof.input_bits},
          {"min", proof.min},
          {"max", proof.max},
          {"products", proof.products},
          {"segments", proof.segments},
          {"products_per_segment", proof.products_per_segment},
          {"headroom_bits", proof.headroom_bits}};
}

json RequantJson(const ChannelRequant& r) {
  return {{"multiplier", r.multiplier},
          {"pre_shift", r.pre_shift},
          {"bias", r.bias},
          {"post_shift", r.post_shift}};
}

void AddParams(const FloatNode& node, json& out) {
  if (node.kind == OpKind::kLeakyRelu) out["slope"] = node.params.slope;
}

void AddParams(const IntNode& node, json& out) {
  const IntParams& p = node.params;
  if (!p.weights.empty()) out["weight_bits"] = p.weight_bits;
  if (p.requant != ChannelRequant{}) out["requant"] = RequantJson(p.requant);
  if (node.kind == OpKind::kLeakyRelu) out["slope_shift"] = p.slope_shift;
  if (p.mask_block == 0) return;
  out["mask_block"] = p.mask_block;
  out["mask_blocks"] = p.mask.size();
  out["mask_blocks_on"] = std::count(p.mask.begin(), p.mask.end(), uint8_t{1});
}

template <class GraphType>
json NodeJson(const GraphType& graph, const auto& node, const Sizes& sizes, const Proofs& proofs) {
  const std::string& name = graph.tensor(node.output).name;
  json out = {{"kind", std::string(Name(node.kind))}, {"output", name}, {"inputs", json::array()}};
  for (TensorId id : node.inputs) out["inputs"].push_back(graph.tensor(id).name);
  out["geometry"] = GeometryJson(node.geometry);
  if (!node.params.weights.empty()) out["weights"] = node.params.weights.size();
  AddParams(node, out);
  const auto output = sizes.find(name);
  const auto input = sizes.find(graph.tensor(node.inputs[0]).name);
  if (output != sizes.end() && input != sizes.end()) {
    out["macs"] = MacCount(graph, node, output->second, input->second);
  }
  if (const auto it = proofs.find(name); it != proofs.end()) out["proof"] = ProofJson(it->second);
  return out;
}

template <class GraphType>
json GraphJson(const GraphType& graph, const Sizes& sizes, const Proofs& proofs) {
  json out = {{"name", graph.name},
              {"inputs", json::array()},
              {"outputs", json::array()},
              {"tensors", json::array()},
              {"nodes", json::array()}};
  for (TensorId id : graph.inputs) out["inputs"].push_back(graph.tensor(id).name);
  for (TensorId id : graph.outputs) out["outputs"].push_back(graph.tensor(id).name);
  for (const TensorInfo& tensor : graph.tensors) {
    json info = {{"name", tensor.name}, {"channels", tensor.channels}, {"scale", tensor.scale}};
    if (tensor.range != ValueRange{}) {
      info["min"] = tensor.range.min;
      info["max"] = tensor.range.max;
    }
    if (const auto it = sizes.find(tensor.name); it != sizes.end()) {
      info["height_px"] = it->second.h;
      info["width_px"] = it->second.w;
    }
    out["tensors"].push_back(std::move(info));
  }
  for (const auto& node : graph.nodes) out["nodes"].push_back(NodeJson(graph, node, sizes, proofs));
  return out;
}

// Text that is not UTF-8 would make the dump throw: wrong bytes are replaced.
std::string Printable(const std::string& text) {
  const json probe = text;
  const std::string dump = probe.dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(dump, nullptr, false).get<std::string>();
}

json MetadataJson(const std::map<std::string, std::string>& metadata) {
  json out = json::object();
  for (const auto& [key, value] : metadata) out[Printable(key)] = Printable(value);
  return out;
}

Result<json> NetJson(const FloatNet& net, Size2 picture) {
  LICHEN_TRY_VOID(CheckFloatNet(net));
  Sizes sizes;
  if (picture != Size2{}) {
    LICHEN_TRY(sizes, InferModelSizes(net, picture));
  }
  json out = {
      {"kind", "float_net"}, {"graphs", json::array()}, {"size_multiple", net.size_multiple}};
  for (const FloatGraph& graph : net.graphs) out["graphs"].push_back(GraphJson(graph, sizes, {}));
  out["metadata"] = MetadataJson(net.metadata);
  return out;
}

Result<json> NetJson(const IntNet& net, Size2 picture) {
  LICHEN_TRY(const std::vector<AccumulatorProof> list, CheckIntNet(net));
  Proofs proofs;
  for (const AccumulatorProof& proof : list) proofs[proof.node] = proof;
  Sizes sizes;
  if (picture != Size2{}) {
    LICHEN_TRY(sizes, InferModelSizes(net, picture));
  }
  const LatentCoding& c = net.coding;
  json out = {{"kind", "int_net"},
              {"identity", ToHex(ModelIdentity(net))},
              {"graphs", json::array()},
              {"tables", json::array()},
              {"size_multiple", c.size_multiple},
              {"coding",
               {{"latent_shift", c.latent_shift},
                {"symbol_min", c.symbol_range.min},
                {"symbol_max", c.symbol_range.max},
                {"index_max", c.index_max}}}};
  for (const IntGraph& graph : net.graphs) out["graphs"].push_back(GraphJson(graph, sizes, proofs));
  for (const TableSet& set : net.tables) {
    out["tables"].push_back({{"name", Printable(set.name)},
                             {"prob_bits", set.prob_bits},
                             {"tables", set.tables.size()}});
  }
  out["metadata"] = MetadataJson(net.metadata);
  return out;
}

}  // namespace

Result<json> ToJson(const Model& model, Size2 picture) {
  return std::visit([&](const auto& net) { return NetJson(net, picture); }, model);
}

}  // namespace lichen

#include "net/identity.h"

#include <bit>
#include <cstring>
#include <string_view>

namespace lichen {
namespace {

static_assert(std::endian::native == std::endian::little, "the walk writes little-endian numbers");

class Walk {
 public:
  void Net(const IntNet& net) {
    Text("lichen-net-1");
    Count(net.graphs);
    for (const IntGraph& graph : net.graphs) Graph(graph);
    Count(net.tables);
    for (const TableSet& set : net.tables) Tables(set);
    Number(net.coding.latent_shift);
    Range(net.coding.symbol_range);
    Number(net.coding.index_max);
    Number(net.coding.size_multiple);
  }

  Sha256Digest Finish() { return hash_.Finish(); }

 private:
  void Bytes(const void* data, size_t count) {
    hash_.Update(std::span(static_cast<const uint8_t*>(data), count));
  }
  void Number(int64_t value) { Bytes(&value, sizeof(value)); }
  void Count(const auto& list) { Number(static_cast<int64_t>(list.size())); }
  void Text(std::string_view text) {
    Count(text);
    hash_.Update(text);
  }
  void Numbers(const auto& list) {
    Count(list);
    for (auto value : list) Number(static_cast<int64_t>(value));
  }
  void Ids(const std::vector<TensorId>& ids) {
    Count(ids);
    for (TensorId id : ids) Number(id.index);
  }
  void Range(ValueRange range) {
    Number(range.min);
    Number(range.max);
  }

  void Graph(const IntGraph& graph) {
    Text(graph.name);
    Count(graph.tensors);
    for (const TensorInfo& tensor : graph.tensors) {
      Text(tensor.name);
      Number(tensor.channels);
      Range(tensor.range);
      Count(tensor.scale);
      for (double scale : tensor.scale) Bytes(&scale, sizeof(scale));
    }
    Count(graph.nodes);
    for (const IntNode& node : graph.nodes) {
      Number(static_cast<int64_t>(node.kind));
      Ids(node.inputs);
      Number(node.output.index);
      Fields(node.geometry);
      Params(node.params);
    }
    Ids(graph.inputs);
    Ids(graph.outputs);
  }

  void Fields(const Geometry& g) {
    for (int32_t field : {g.kernel_h, g.kernel_w, g.stride_h, g.stride_w, g.pad_top, g.pad_bottom,
                          g.pad_left, g.pad_right, g.groups, g.block, g.crop, g.output_divisor}) {
      Number(field);
    }
  }

  void Requant(const ChannelRequant& requant) {
    Numbers(requant.multiplier);
    Numbers(requant.pre_shift);
    Numbers(requant.bias);
    Number(requant.post_shift);
  }

  void Params(const IntParams& p) {
    Count(p.weights);
    Bytes(p.weights.data(), p.weights.size() * sizeof(int16_t));
    Number(p.weight_bits);
    Requant(p.requant);
    Range(p.inner_range);
    Requant(p.gain_requant);
    Range(p.gain_range);
    Requant(p.output_requant);
    Numbers(p.table);
    Number(p.table_first);
    Number(p.slope_shift);
    Number(p.mask_block);
    Numbers(p.mask);
  }

  void Tables(const TableSet& set) {
    Text(set.name);
    Number(set.prob_bits);
    Count(set.tables);
    for (const ProbabilityTable& table : set.tables) {
      Number(table.min_symbol);
      Number(table.has_escape ? 1 : 0);
      Numbers(table.frequencies);
    }
  }

  Sha256 hash_;
};

}  // namespace

Sha256Digest ModelIdentity(const IntNet& net) {
  Walk walk;
  walk.Net(net);
  return walk.Finish();
}

}  // namespace lichen

#include <limits>

#include "net/lichen_generated.h"
#include "net/model_payload.h"
#include "net/proof.h"

namespace lichen {
namespace {

using flatbuffers::FlatBufferBuilder;
using flatbuffers::Offset;
using flatbuffers::Vector;

std::vector<int32_t> Indices(const std::vector<TensorId>& ids) {
  std::vector<int32_t> indices;
  for (TensorId id : ids) indices.push_back(id.index);
  return indices;
}

fbs::Geometry PackGeometry(const Geometry& g) {
  return {g.kernel_h, g.kernel_w,  g.stride_h, g.stride_w, g.pad_top, g.pad_bottom,
          g.pad_left, g.pad_right, g.groups,   g.block,    g.crop,    g.output_divisor};
}

// The weights of the blocks that are on, block after block; all of them without a mask.
std::vector<int16_t> StoredWeights(const IntParams& p, const Geometry& g, int64_t in, int64_t out) {
  if (p.mask_block == 0) return p.weights;
  const int64_t block = p.mask_block;
  const int64_t taps = int64_t{g.kernel_h} * g.kernel_w;
  std::vector<int16_t> stored;
  size_t at = 0;
  for (int64_t ob = 0; ob < out / block; ++ob) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t ib = 0; ib < in / block; ++ib) {
        if (p.mask[at++] == 0) continue;
        for (int64_t oc = ob * block; oc < (ob + 1) * block; ++oc) {
          const auto first = p.weights.begin() + (oc * taps + tap) * in + ib * block;
          stored.insert(stored.end(), first, first + block);
        }
      }
    }
  }
  return stored;
}

class Packer {
 public:
  std::vector<uint8_t> Pack(const Model& model) {
    const auto root = std::visit([this](const auto& net) { return Net(net); }, model);
    fbs::FinishModelBuffer(builder_, root);
    return {builder_.GetBufferPointer(), builder_.GetBufferPointer() + builder_.GetSize()};
  }

 private:
  // An empty vector is left out.
  template <class T>
  Offset<Vector<T>> Values(const std::vector<T>& values) {
    return values.empty() ? 0 : builder_.CreateVector(values);
  }
  // A default requantiser is left out.
  Offset<fbs::ChannelRequant> Requant(const ChannelRequant& r) {
    if (r == ChannelRequant{}) return 0;
    const auto multiplier = builder_.CreateVector(r.multiplier);
    const auto pre_shift = builder_.CreateVector(r.pre_shift);
    const auto bias = builder_.CreateVector(r.bias);
    return fbs::CreateChannelRequant(builder_, multiplier, pre_shift, bias, r.post_shift);
  }

  // Two weights in three bytes, from the lowest bit up.
  static std::vector<uint8_t> Pairs12(const std::vector<int16_t>& values) {
    std::vector<uint8_t> bytes;
    bytes.reserve(values.size() / 2 * 3);
    for (size_t i = 0; i < values.size(); i += 2) {
      const auto low = static_cast<uint32_t>(values[i]) & 0xFFF;
      const uint32_t pair = low | (static_cast<uint32_t>(values[i + 1]) & 0xFFF) << 12;
      for (int shift = 0; shift < 24; shift += 8) {
        bytes.push_back(static_cast<uint8_t>(pair >> shift));
      }
    }
    return bytes;
  }

  Offset<fbs::IntParams> PackParams(const IntParams& p, const Geometry& g, int64_t in,
                                    int64_t out) {
    const std::vector<int16_t> stored = StoredWeights(p, g, in, out);
    const int32_t bits = SignedBitsOf(stored);
    const bool is_narrow = bits <= 8;
    const bool is_paired = !is_narrow && bits <= 12 && stored.size() % 2 == 0;
    const auto weights8 = is_narrow ? Values(std::vector<int8_t>(stored.begin(), stored.end())) : 0;
    const auto weights12 = is_paired ? Values(Pairs12(stored)) : 0;
    const auto weights16 = is_narrow || is_paired ? 0 : Values(stored);
    const auto requant = Requant(p.requant);
    const auto gain_requant = Requant(p.gain_requant);
    const auto output_requant = Requant(p.output_requant);
    const auto table = Values(p.table);
    const auto mask = Values(p.mask);
    return fbs::CreateIntParams(builder_, weights8, weights16, p.weight_bits, requant,
                                p.inner_range.min, p.inner_range.max, gain_requant,
                                p.gain_range.min, p.gain_range.max, output_requant, table,
                                p.table_first, p.slope_shift, p.mask_block, mask, weights12);
  }

  Offset<fbs::FloatParams> PackParams(const FloatParams& p) {
    const auto weights = Values(p.weights);
    const auto bias = Values(p.bias);
    const auto gain = Values(p.gain);
    const auto gain_bias = Values(p.gain_bias);
    const auto table = Values(p.table);
    return fbs::CreateFloatParams(builder_, weights, bias, gain, gain_bias, table, p.table_first,
                                  p.slope);
  }

  template <class Params>
  Offset<fbs::Node> PackNode(const Graph<Params>& graph, const Node<Params>& node) {
    const auto inputs = Values(Indices(node.inputs));
    const fbs::Geometry geometry = PackGeometry(node.geometry);
    Offset<fbs::IntParams> int_params;
    Offset<fbs::FloatParams> float_params;
    if constexpr (std::is_same_v<Params, IntParams>) {
      int_params = PackParams(node.params, node.geometry, graph.tensor(node.inputs[0]).channels,
                              graph.tensor(node.output).channels);
    } else {
      float_params = PackParams(node.params);
    }
    return fbs::CreateNode(builder_, static_cast<uint8_t>(node.kind), inputs, node.output.index,
                           &geometry, int_params, float_params);
  }

  template <class Params>
  Offset<Vector<Offset<fbs::Graph>>> Graphs(const std::vector<Graph<Params>>& graphs) {
    std::vector<Offset<fbs::Graph>> packed;
    for (const Graph<Params>& graph : graphs) {
      std::vector<Offset<fbs::Tensor>> tensors;
      for (const TensorInfo& t : graph.tensors) {
        const auto name = builder_.CreateString(t.name);
        const auto scale = Values(t.scale);
        tensors.push_back(
            fbs::CreateTensor(builder_, name, t.channels, t.range.min, t.range.max, scale));
      }
      std::vector<Offset<fbs::Node>> nodes;
      for (const Node<Params>& node : graph.nodes) nodes.push_back(PackNode(graph, node));
      const auto name = builder_.CreateString(graph.name);
      const auto tensor_list = builder_.CreateVector(tensors);
      const auto node_list = builder_.CreateVector(nodes);
      const auto inputs = Values(Indices(graph.inputs));
      const auto outputs = Values(Indices(graph.outputs));
      packed.push_back(fbs::CreateGraph(builder_, name, tensor_list, node_list, inputs, outputs));
    }
    return builder_.CreateVector(packed);
  }

  Offset<Vector<Offset<fbs::TableSet>>> Tables(const std::vector<TableSet>& sets) {
    std::vector<Offset<fbs::TableSet>> packed;
    for (const TableSet& set : sets) {
      std::vector<Offset<fbs::ProbabilityTable>> tables;
      for (const ProbabilityTable& table : set.tables) {
        const auto frequencies = Values(table.frequencies);
        tables.push_back(
            fbs::CreateProbabilityTable(builder_, table.min_symbol, table.has_escape, frequencies));
      }
      const auto name = builder_.CreateString(set.name);
      const auto list = builder_.CreateVector(tables);
      packed.push_back(fbs::CreateTableSet(builder_, name, set.prob_bits, list));
    }
    return builder_.CreateVector(packed);
  }

  Offset<Vector<Offset<fbs::KeyValue>>> Metadata(const std::map<std::string, std::string>& map) {
    std::vector<Offset<fbs::KeyValue>> packed;
    for (const auto& [key, value] : map) {
      const auto packed_key = builder_.CreateString(key);
      const auto packed_value = builder_.CreateString(value);
      packed.push_back(fbs::CreateKeyValue(builder_, packed_key, packed_value));
    }
    return builder_.CreateVector(packed);
  }

  Offset<fbs::Model> Net(const IntNet& net) {
    const auto graphs = Graphs(net.graphs);
    const auto tables = Tables(net.tables);
    const auto metadata = Metadata(net.metadata);
    const LatentCoding& c = net.coding;
    return fbs::CreateModel(builder_, true, graphs, tables, c.latent_shift, c.symbol_range.min,
                            c.symbol_range.max, c.index_max, c.size_multiple, metadata);
  }

  Offset<fbs::Model> Net(const FloatNet& net) {
    const auto graphs = Graphs(net.graphs);
    const auto metadata = Metadata(net.metadata);
    return fbs::CreateModel(builder_, false, graphs, 0, 0, 0, 0, 0, net.size_multiple, metadata);
  }

  FlatBufferBuilder builder_{size_t{1} << 16};
};

}  // namespace

std::vector<uint8_t> PackModel(const Model& model) { return Packer().Pack(model); }

}  // namespace lichen

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.h"
#include "net/check_graph.h"
#include "net/lichen_generated.h"
#include "net/limits.h"
#include "net/model_payload.h"

namespace lichen {
namespace {

static_assert(std::endian::native == std::endian::little, "FlatBuffers are little-endian");

constexpr uint32_t kMaxDepth = 16;
constexpr uint32_t kMaxTables = 4'000'000;  // FlatBuffers tables in the payload
constexpr size_t kMaxList = 65536;          // tensors, nodes, probability tables, metadata

template <class T>
using TableList = flatbuffers::Vector<flatbuffers::Offset<T>>;

Geometry UnpackGeometry(const fbs::Geometry& g) {
  return {.kernel_h = g.kernel_h(),
          .kernel_w = g.kernel_w(),
          .stride_h = g.stride_h(),
          .stride_w = g.stride_w(),
          .pad_top = g.pad_top(),
          .pad_bottom = g.pad_bottom(),
          .pad_left = g.pad_left(),
          .pad_right = g.pad_right(),
          .groups = g.groups(),
          .block = g.block(),
          .crop = g.crop(),
          .output_divisor = g.output_divisor()};
}

class Unpacker {
 public:
  Unpacker(size_t payload_bytes, const Threads& threads)
      : threads_(threads), budget_bytes_(payload_bytes) {}

  Result<Model> Unpack(const fbs::Model& model) {
    if (!model.is_integer()) {
      FloatNet net;
      LICHEN_TRY_VOID(Graphs(model.graphs(), net.graphs));
      net.size_multiple = model.size_multiple();
      LICHEN_TRY_VOID(Metadata(model.metadata(), net.metadata));
      return net;
    }
    IntNet net;
    LICHEN_TRY_VOID(Graphs(model.graphs(), net.graphs));
    LICHEN_TRY_VOID(Tables(model.tables(), net.tables));
    net.coding = {.latent_shift = model.latent_shift(),
                  .symbol_range = {model.symbol_min(), model.symbol_max()},
                  .index_max = model.index_max(),
                  .size_multiple = model.size_multiple()};
    LICHEN_TRY_VOID(Metadata(model.metadata(), net.metadata));
    threads_.For(static_cast<int64_t>(pairs_.size()), [&](int64_t i) {
      const Pairs& pairs = pairs_[static_cast<size_t>(i)];
      UnpackPairs(*pairs.bytes, *pairs.weights);
    });
    return net;
  }

 private:
  // Weights of 12 bits, two in three bytes.
  struct Pairs {
    const flatbuffers::Vector<uint8_t>* bytes;
    std::vector<int16_t>* weights;
  };

  // Each stored byte may be unpacked once: a buffer whose tables share a vector could otherwise
  // grow without bound.
  Result<void> Spend(uint64_t bytes) {
    if (bytes > budget_bytes_) return Fail("payload: it unpacks to more than it holds");
    budget_bytes_ -= bytes;
    return {};
  }

  template <class T, class Held>
  Result<void> Values(const flatbuffers::Vector<T>* stored, std::vector<Held>& values) {
    values.clear();
    if (!stored) return {};
    LICHEN_TRY_VOID(Spend(uint64_t{stored->size()} * sizeof(T)));
    values.resize(stored->size());
    // The verifier does not check how elements of 8 bytes are aligned.
    for (size_t i = 0; i < values.size(); ++i) {
      T value;
      std::memcpy(&value, stored->Data() + i * sizeof(T), sizeof(T));
      values[i] = static_cast<Held>(value);
    }
    return {};
  }

  Result<void> Text(const flatbuffers::String* stored, std::string& text) {
    if (!stored) return Fail("payload: a name is missing");
    LICHEN_TRY_VOID(Spend(stored->size()));
    text = stored->str();
    return {};
  }

  Result<void> Ids(const flatbuffers::Vector<int32_t>* stored, std::vector<TensorId>& ids) {
    std::vector<int32_t> indices;
    LICHEN_TRY_VOID(Values(stored, indices));
    for (int32_t index : indices) ids.push_back({index});
    return {};
  }

  template <class T, class Held>
  Result<void> Reserve(const TableList<T>* stored, std::vector<Held>& list) {
    if (stored && stored->size() > kMaxList) {
      return Fail("payload: a list of {} exceeds {}", stored->size(), kMaxList);
    }
    if (stored) LICHEN_TRY_VOID(Spend(uint64_t{stored->size()} * 4));
    list.resize(stored ? stored->size() : 0);
    return {};
  }

  Result<void> Requant(const fbs::ChannelRequant* stored, ChannelRequant& requant) {
    if (!stored) return {};
    LICHEN_TRY_VOID(Values(stored->multiplier(), requant.multiplier));
    LICHEN_TRY_VOID(Values(stored->pre_shift(), requant.pre_shift));
    LICHEN_TRY_VOID(Values(stored->bias(), requant.bias));
    requant.post_shift = stored->post_shift();
    return {};
  }

  // Puts the stored blocks in their places. The channels come from tensors that are not yet checked.
  Result<void> Unmask(const Geometry& g, int64_t in, int64_t out, IntParams& p) {
    const int64_t block = p.mask_block;
    const auto is_within = [](int64_t value, int64_t high) { return value >= 1 && value <= high; };
    if (!is_within(in, kMaxChannels) || !is_within(out, kMaxChannels) ||
        !is_within(g.kernel_h, kMaxKernel) || !is_within(g.kernel_w, kMaxKernel) || g.groups != 1 ||
        !is_within(block, kMaxChannels) || in % block != 0 || out % block != 0) {
      return Fail("payload: a masked layer has a wrong kernel, block or channel count");
    }
    const int64_t taps = int64_t{g.kernel_h} * g.kernel_w;
    const int64_t count = WeightCount(OpKind::kConv2d, g, in, out);
    weights_ += count;
    if (weights_ > kMaxWeights) return Fail("payload: more than {} weights", kMaxWeights);
    const auto on = std::count_if(p.mask.begin(), p.mask.end(), [](uint8_t v) { return v != 0; });
    if (static_cast<int64_t>(p.mask.size()) != count / (block * block) ||
        static_cast<int64_t>(p.weights.size()) != on * block * block) {
      return Fail("payload: the size of a mask or of its weights is wrong");
    }
    std::vector<int16_t> dense(static_cast<size_t>(count));
    auto next = p.weights.begin();
    size_t at = 0;
    for (int64_t ob = 0; ob < out / block; ++ob) {
      for (int64_t tap = 0; tap < taps; ++tap) {
        for (int64_t ib = 0; ib < in / block; ++ib) {
          if (p.mask[at++] == 0) continue;
          for (int64_t oc = ob * block; oc < (ob + 1) * block; ++oc) {
            std::copy_n(next, block, dense.begin() + (oc * taps + tap) * in + ib * block);
            next += block;
          }
        }
      }
    }
    p.weights = std::move(dense);
    return {};
  }

  // The sign is the highest of 12 bits.
  static int16_t Low12(uint64_t bits) {
    return static_cast<int16_t>(static_cast<int64_t>(bits << 52) >> 52);
  }

  static void UnpackPairs(const flatbuffers::Vector<uint8_t>& bytes,
                          std::vector<int16_t>& weights) {
    const size_t size = bytes.size();
    weights.resize(size / 3 * 2);
    const uint8_t* at = bytes.data();
    size_t i = 0;
    for (; i * 3 / 2 + 8 <= size; i += 4, at += 6) {
      uint64_t four;
      std::memcpy(&four, at, sizeof(four));
      for (size_t j = 0; j < 4; ++j) weights[i + j] = Low12(four >> (12 * j));
    }
    for (; i < weights.size(); i += 2, at += 3) {
      const uint64_t pair =
          at[0] | static_cast<uint64_t>(at[1]) << 8 | static_cast<uint64_t>(at[2]) << 16;
      weights[i] = Low12(pair);
      weights[i + 1] = Low12(pair >> 12);
    }
  }

  Result<void> Params(const fbs::Node& node, const IntGraph& graph, IntNode& out) {
    const fbs::IntParams* stored = node.int_params();
    if (!stored) return Fail("payload: an integer node has no parameters");
    IntParams& p = out.params;
    if (stored->weights16()) {
      LICHEN_TRY_VOID(Values(stored->weights16(), p.weights));
    } else if (stored->weights12()) {
      const auto& bytes = *stored->weights12();
      if (bytes.size() % 3 != 0) {
        return Fail("payload: weights of 12 bits end in the middle of a pair");
      }
      LICHEN_TRY_VOID(Spend(bytes.size()));
      if (stored->mask_block() == 0) {
        pairs_.push_back({&bytes, &p.weights});
      } else {
        UnpackPairs(bytes, p.weights);
      }
    } else {
      LICHEN_TRY_VOID(Values(stored->weights8(), p.weights));
    }
    p.weight_bits = stored->weight_bits();
    LICHEN_TRY_VOID(Requant(stored->requant(), p.requant));
    p.inner_range = {stored->inner_min(), stored->inner_max()};
    LICHEN_TRY_VOID(Requant(stored->gain_requant(), p.gain_requant));
    p.gain_range = {stored->gain_min(), stored->gain_max()};
    LICHEN_TRY_VOID(Requant(stored->output_requant(), p.output_requant));
    LICHEN_TRY_VOID(Values(stored->table(), p.table));
    p.table_first = stored->table_first();
    p.slope_shift = stored->slope_shift();
    p.mask_block = stored->mask_block();
    LICHEN_TRY_VOID(Values(stored->mask(), p.mask));
    if (p.mask_block == 0) return {};
    const auto channels = [&](int32_t index) {
      const bool is_known = index >= 0 && static_cast<size_t>(index) < graph.tensors.size();
      return is_known ? graph.tensor({index}).channels : 0;
    };
    const int64_t in = out.inputs.empty() ? 0 : channels(out.inputs[0].index);
    return Unmask(out.geometry, in, channels(out.output.index), p);
  }

  Result<void> Params(const fbs::Node& node, const FloatGraph&, FloatNode& out) {
    const fbs::FloatParams* stored = node.float_params();
    if (!stored) return Fail("payload: a float node has no parameters");
    FloatParams& p = out.params;
    LICHEN_TRY_VOID(Values(stored->weights(), p.weights));
    LICHEN_TRY_VOID(Values(stored->bias(), p.bias));
    LICHEN_TRY_VOID(Values(stored->gain(), p.gain));
    LICHEN_TRY_VOID(Values(stored->gain_bias(), p.gain_bias));
    LICHEN_TRY_VOID(Values(stored->table(), p.table));
    p.table_first = stored->table_first();
    p.slope = stored->slope();
    return {};
  }

  template <class P>
  Result<void> Nodes(const TableList<fbs::Node>* stored, Graph<P>& graph) {
    LICHEN_TRY_VOID(Reserve(stored, graph.nodes));
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      const fbs::Node& from = *stored->Get(static_cast<flatbuffers::uoffset_t>(i));
      Node<P>& node = graph.nodes[i];
      node.kind = static_cast<OpKind>(from.kind());
      LICHEN_TRY_VOID(Ids(from.inputs(), node.inputs));
      node.output = {from.output()};
      if (from.geometry()) node.geometry = UnpackGeometry(*from.geometry());
      LICHEN_TRY_VOID(Params(from, graph, node));
    }
    return {};
  }

  template <class P>
  Result<void> Graphs(const TableList<fbs::Graph>* stored, std::vector<Graph<P>>& graphs) {
    if (stored && stored->size() > kMaxGraphs) return Fail("payload: {} graphs", stored->size());
    LICHEN_TRY_VOID(Reserve(stored, graphs));
    for (size_t i = 0; i < graphs.size(); ++i) {
      const fbs::Graph& from = *stored->Get(static_cast<flatbuffers::uoffset_t>(i));
      Graph<P>& graph = graphs[i];
      LICHEN_TRY_VOID(Text(from.name(), graph.name));
      LICHEN_TRY_VOID(Reserve(from.tensors(), graph.tensors));
      for (size_t t = 0; t < graph.tensors.size(); ++t) {
        const fbs::Tensor& tensor = *from.tensors()->Get(static_cast<flatbuffers::uoffset_t>(t));
        LICHEN_TRY_VOID(Text(tensor.name(), graph.tensors[t].name));
        graph.tensors[t].channels = tensor.channels();
        graph.tensors[t].range = {tensor.min(), tensor.max()};
        LICHEN_TRY_VOID(Values(tensor.scale(), graph.tensors[t].scale));
      }
      LICHEN_TRY_VOID(Nodes(from.nodes(), graph));
      LICHEN_TRY_VOID(Ids(from.inputs(), graph.inputs));
      LICHEN_TRY_VOID(Ids(from.outputs(), graph.outputs));
    }
    return {};
  }

  Result<void> Tables(const TableList<fbs::TableSet>* stored, std::vector<TableSet>& sets) {
    LICHEN_TRY_VOID(Reserve(stored, sets));
    for (size_t i = 0; i < sets.size(); ++i) {
      const fbs::TableSet& from = *stored->Get(static_cast<flatbuffers::uoffset_t>(i));
      LICHEN_TRY_VOID(Text(from.name(), sets[i].name));
      sets[i].prob_bits = from.prob_bits();
      LICHEN_TRY_VOID(Reserve(from.tables(), sets[i].tables));
      for (size_t t = 0; t < sets[i].tables.size(); ++t) {
        const auto& table = *from.tables()->Get(static_cast<flatbuffers::uoffset_t>(t));
        ProbabilityTable& out = sets[i].tables[t];
        out.min_symbol = table.min_symbol();
        out.has_escape = table.has_escape();
        LICHEN_TRY_VOID(Values(table.frequencies(), out.frequencies));
      }
    }
    return {};
  }

  Result<void> Metadata(const TableList<fbs::KeyValue>* stored,
                        std::map<std::string, std::string>& metadata) {
    std::vector<std::pair<std::string, std::string>> list;
    LICHEN_TRY_VOID(Reserve(stored, list));
    for (size_t i = 0; i < list.size(); ++i) {
      const auto& from = *stored->Get(static_cast<flatbuffers::uoffset_t>(i));
      LICHEN_TRY_VOID(Text(from.key(), list[i].first));
      LICHEN_TRY_VOID(Text(from.value(), list[i].second));
    }
    metadata = {list.begin(), list.end()};
    return {};
  }

  const Threads& threads_;
  std::vector<Pairs> pairs_;  // still to unpack, into nodes that stay where they are
  uint64_t budget_bytes_;
  int64_t weights_ = 0;  // of masked layers, unpacked
};

}  // namespace

Result<Model> UnpackModel(std::span<const uint8_t> payload, const Threads& threads) {
  LICHEN_CHECK(reinterpret_cast<uintptr_t>(payload.data()) % 16 == 0);
  if (payload.size() < 16 || payload.size() >= FLATBUFFERS_MAX_BUFFER_SIZE) {
    return Fail("payload: {} bytes are no FlatBuffers buffer", payload.size());
  }
  flatbuffers::Verifier verifier(payload.data(), payload.size(), kMaxDepth, kMaxTables);
  if (!fbs::VerifyModelBuffer(verifier)) {
    return Fail("payload: it is not a valid FlatBuffers buffer of schema lichen.fbs");
  }
  return Unpacker(payload.size(), threads).Unpack(*fbs::GetModel(payload.data()));
}

}  // namespace lichen

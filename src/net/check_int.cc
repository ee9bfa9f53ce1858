#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "net/check.h"
#include "net/check_graph.h"
#include "net/check_tables.h"
#include "net/proof.h"

namespace lichen {
namespace {

constexpr int64_t kInt32Min = std::numeric_limits<int32_t>::min();
constexpr int64_t kInt32Max = std::numeric_limits<int32_t>::max();
constexpr ValueRange kInt32 = {kInt32Min, kInt32Max};
constexpr ValueRange kInt16 = {-32768, 32767};
constexpr ValueRange kNorm = {1, int64_t{1} << 24};
constexpr __int128 kGdnLimit = __int128{1} << 47;
constexpr int kMaxSlopeShift = 31;
constexpr int kMaxMaskBlock = 1024;

Result<void> CheckRange(ValueRange range, std::string_view what) {
  if (range.min > range.max || !kInt32.Contains(range)) {
    return Fail("{} [{}, {}] is empty or exceeds 32 bits", what, range.min, range.max);
  }
  return {};
}

Result<void> CheckRequantShape(const ChannelRequant& r, int64_t channels, std::string_view what) {
  const auto is_size = [channels](size_t n) {
    return n == 1 || n == static_cast<size_t>(channels);
  };
  if (!is_size(r.multiplier.size()) || !is_size(r.pre_shift.size()) || !is_size(r.bias.size())) {
    return Fail("{} has {} multipliers, {} pre_shifts and {} biases for {} channels", what,
                r.multiplier.size(), r.pre_shift.size(), r.bias.size(), channels);
  }
  for (uint8_t shift : r.pre_shift) {
    if (shift > 63) return Fail("{} has a pre_shift of {}, allowed are 0 to 63", what, shift);
  }
  if (r.post_shift > 63) return Fail("{} has a post_shift of {}", what, r.post_shift);
  return {};
}

Result<void> CheckUnused(const IntNode& node) {
  const FieldUse use = FieldsOf(node.kind);
  const IntParams& p = node.params;
  const ChannelRequant none;
  const bool has_requant = use.weights || node.kind == OpKind::kRequant;
  const bool has_norm = node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn;
  if (!has_requant && p.requant != none) return Fail("it does not use requant, which is set");
  if (!use.weights && p.weight_bits != 0) return Fail("it has no weights, but weight_bits is set");
  if (!use.mask && (p.mask_block != 0 || !p.mask.empty())) return Fail("it takes no mask");
  if (!use.slope && p.slope_shift != 0) return Fail("it does not use slope_shift, which is set");
  if (!use.table && (!p.table.empty() || p.table_first != 0)) return Fail("it takes no table");
  if (!use.lagc && (p.gain_requant != none || p.gain_range != ValueRange{})) {
    return Fail("it does not use gain_requant or gain_range, which is set");
  }
  if (!use.lagc && !has_norm && (p.output_requant != none || p.inner_range != ValueRange{})) {
    return Fail("it does not use output_requant or inner_range, which is set");
  }
  return {};
}

Result<void> CheckMask(const IntParams& p, const Geometry& g, int64_t in, int64_t out) {
  if (p.mask_block == 0 && p.mask.empty()) return {};
  const int64_t block = p.mask_block;
  if (block < 1 || block > kMaxMaskBlock || in % block != 0 || out % block != 0 || g.groups != 1) {
    return Fail("mask_block {} does not divide {} input and {} output channels of one group", block,
                in, out);
  }
  const int64_t taps = int64_t{g.kernel_h} * g.kernel_w;
  const int64_t in_blocks = in / block;
  if (static_cast<int64_t>(p.mask.size()) != out / block * taps * in_blocks) {
    return Fail("the mask has {} blocks, it needs {}", p.mask.size(),
                out / block * taps * in_blocks);
  }
  if (std::any_of(p.mask.begin(), p.mask.end(), [](uint8_t on) { return on > 1; })) {
    return Fail("the mask holds a value that is neither 0 nor 1");
  }
  for (int64_t oc = 0; oc < out; ++oc) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      const auto mask = p.mask.begin() + ((oc / block) * taps + tap) * in_blocks;
      for (int64_t ib = 0; ib < in_blocks; ++ib) {
        if (mask[ib] != 0) continue;
        const auto first = p.weights.begin() + (oc * taps + tap) * in + ib * block;
        const auto wrong = std::find_if(first, first + block, [](int16_t w) { return w != 0; });
        if (wrong != first + block) {
          return Fail("output channel {}, input channel {}: a weight of a masked block is not 0",
                      oc, ib * block + (wrong - first));
        }
      }
    }
  }
  return {};
}

// Checks that the table covers `inputs`; gives the range of the entries that they reach.
Result<ValueRange> CheckTable(const IntParams& p, ValueRange inputs) {
  const __int128 last = __int128{p.table_first} + static_cast<int64_t>(p.table.size()) - 1;
  if (p.table_first > inputs.min || last < inputs.max) {
    return Fail("its table starts at {} and has {} entries, which does not cover [{}, {}]",
                p.table_first, p.table.size(), inputs.min, inputs.max);
  }
  const auto first = p.table.begin() + (inputs.min - p.table_first);
  const auto end = p.table.begin() + (inputs.max - p.table_first) + 1;
  const auto [low, high] = std::minmax_element(first, end);
  return ValueRange{*low, *high};
}

// The requantisers behind the sum of products; returns the largest intermediate.
class ProductCheck {
 public:
  ProductCheck(const IntNode& node, const SumBounds& sums, ValueRange input, int64_t channels)
      : node_(node), input_(input), channels_(channels) {
    for (const ChannelSum& sum : sums.channels) sums_.push_back({sum.min, sum.max});
  }

  Result<int64_t> Run() {
    LICHEN_TRY_VOID(Bound(node_.params.requant, sums_, "requant"));
    if (node_.kind == OpKind::kLagc) LICHEN_TRY_VOID(Lagc());
    if (node_.kind == OpKind::kGdn || node_.kind == OpKind::kIgdn) LICHEN_TRY_VOID(Norm());
    return largest_;
  }

 private:
  Result<void> Bound(const ChannelRequant& requant, const std::vector<ValueRange>& values,
                     std::string_view what) {
    LICHEN_TRY_VOID(CheckRequantShape(requant, channels_, what));
    LICHEN_TRY(const int64_t largest, InPlace(what, BoundRequant(requant, values, channels_)));
    largest_ = std::max(largest_, largest);
    return {};
  }

  // x * factor for x in the input's range.
  ValueRange Times(ValueRange factor) const {
    const auto [low, high] = std::minmax({input_.min * factor.min, input_.min * factor.max,
                                          input_.max * factor.min, input_.max * factor.max});
    return {low, high};
  }

  Result<void> Lagc() {
    const IntParams& p = node_.params;
    LICHEN_TRY_VOID(CheckRange(p.inner_range, "inner_range"));
    LICHEN_TRY_VOID(CheckRange(p.gain_range, "gain_range"));
    LICHEN_TRY(const ValueRange entries, CheckTable(p, p.inner_range));
    LICHEN_TRY_VOID(Bound(p.gain_requant, {entries}, "gain_requant"));
    return Bound(p.output_requant, {Times(p.gain_range)}, "output_requant");
  }

  Result<void> Norm() {
    const IntParams& p = node_.params;
    if (p.inner_range.min > p.inner_range.max || !kNorm.Contains(p.inner_range)) {
      return Fail("inner_range [{}, {}] is not within [1, 2^24]", p.inner_range.min,
                  p.inner_range.max);
    }
    if (node_.kind == OpKind::kIgdn) {
      return Bound(p.output_requant, {Times(p.inner_range)}, "output_requant");
    }
    ChannelRequant only_multiplier;
    only_multiplier.multiplier = p.output_requant.multiplier;
    if (p.output_requant != only_multiplier) {
      return Fail("output_requant of Gdn may hold multipliers only");
    }
    LICHEN_TRY_VOID(CheckRequantShape(p.output_requant, channels_, "output_requant"));
    for (int64_t m : p.output_requant.multiplier) {
      const __int128 product = __int128{input_.MaxAbs()} * m;
      if (product >= kGdnLimit || -product >= kGdnLimit) {
        return Fail("|x * multiplier| can reach 2^47 with multiplier {}", m);
      }
    }
    return {};
  }

  const IntNode& node_;
  ValueRange input_;
  int64_t channels_;
  std::vector<ValueRange> sums_;
  int64_t largest_ = 0;
};

Result<AccumulatorProof> ProveProducts(const IntGraph& graph, const IntNode& node) {
  const TensorInfo& input = graph.tensor(node.inputs[0]);
  const TensorInfo& output = graph.tensor(node.output);
  const IntParams& p = node.params;
  if (!kInt16.Contains(input.range)) {
    return Fail("its input {} has the range [{}, {}]; operands have at most 16 signed bits",
                input.name, input.range.min, input.range.max);
  }
  const int32_t weight_bits = SignedBitsOf(p.weights);
  if (p.weight_bits < weight_bits || p.weight_bits > 16) {
    return Fail("weight_bits is {}, its weights need {} (at most 16)", p.weight_bits, weight_bits);
  }
  LICHEN_TRY_VOID(CheckMask(p, node.geometry, input.channels, output.channels));
  const SumBounds sums = BoundSums(graph, node);
  LICHEN_TRY(const int64_t largest, ProductCheck(node, sums, input.range, output.channels).Run());

  AccumulatorProof proof{.graph = graph.name,
                         .node = output.name,
                         .weight_bits = weight_bits,
                         .input_bits = BitsOf(input.range),
                         .products = sums.products};
  for (const ChannelSum& sum : sums.channels) {
    proof.min = std::min(proof.min, sum.min);
    proof.max = std::max(proof.max, sum.max);
    proof.segments = std::max(proof.segments, sum.segments);
    proof.products_per_segment += static_cast<double>(sums.products) / sum.segments;
  }
  proof.products_per_segment /= static_cast<double>(sums.channels.size());
  proof.headroom_bits = 62.0 - std::log2(std::max<double>(1.0, static_cast<double>(largest)));
  return proof;
}

// Operators without products: what their outputs can hold.
Result<void> CheckElementwise(const IntGraph& graph, const IntNode& node) {
  const TensorInfo& output = graph.tensor(node.output);
  const TensorInfo& input = graph.tensor(node.inputs[0]);
  const IntParams& p = node.params;
  const auto must_contain = [&](ValueRange range) -> Result<void> {
    if (output.range.Contains(range)) return {};
    return Fail("its values reach [{}, {}], outside its output's range [{}, {}]", range.min,
                range.max, output.range.min, output.range.max);
  };
  switch (node.kind) {
    case OpKind::kDepthToSpace:
    case OpKind::kSpaceToDepth:
    case OpKind::kMaxPool:
    case OpKind::kConcat:
      for (TensorId id : node.inputs) LICHEN_TRY_VOID(must_contain(graph.tensor(id).range));
      return {};
    case OpKind::kLeakyRelu: {
      if (p.slope_shift < 0 || p.slope_shift > kMaxSlopeShift) {
        return Fail("slope_shift {} is not 0 to {}", p.slope_shift, kMaxSlopeShift);
      }
      return must_contain(
          {LeakyRelu(input.range.min, p.slope_shift), LeakyRelu(input.range.max, p.slope_shift)});
    }
    case OpKind::kLut: {
      LICHEN_TRY(const ValueRange entries, CheckTable(p, input.range));
      return must_contain(entries);
    }
    case OpKind::kRequant: {
      LICHEN_TRY_VOID(CheckRequantShape(p.requant, output.channels, "requant"));
      LICHEN_TRY([[maybe_unused]] const int64_t largest,
                 InPlace("requant", BoundRequant(p.requant, {input.range}, output.channels)));
      return {};
    }
    default:  // Add and Clamp saturate to the output's range
      return {};
  }
}

Result<void> CheckTensors(const IntGraph& graph) {
  for (const TensorInfo& tensor : graph.tensors) {
    LICHEN_TRY_VOID(CheckRange(tensor.range,
                               fmt::format("graph {}, tensor {}: range", graph.name, tensor.name)));
  }
  return {};
}

// Gives a proof where the node has products.
Result<std::optional<AccumulatorProof>> CheckNode(const IntGraph& graph, const IntNode& node) {
  const std::string place = PlaceOf(graph, node);
  LICHEN_TRY_VOID(InPlace(place, CheckUnused(node)));
  if (HasProducts(node.kind)) return InPlace(place, ProveProducts(graph, node));
  LICHEN_TRY_VOID(InPlace(place, CheckElementwise(graph, node)));
  return std::nullopt;
}

struct PlacedNode {
  const IntGraph* graph;
  const IntNode* node;
};

}  // namespace

Result<std::vector<AccumulatorProof>> CheckIntNet(const IntNet& net, const Threads& threads) {
  LICHEN_TRY_VOID(CheckGraphs(net.graphs));
  std::vector<PlacedNode> nodes;
  for (const IntGraph& graph : net.graphs) {
    LICHEN_TRY_VOID(CheckTensors(graph));
    for (const IntNode& node : graph.nodes) nodes.push_back({&graph, &node});
  }
  std::vector<Result<std::optional<AccumulatorProof>>> checks(nodes.size());
  threads.For(static_cast<int64_t>(nodes.size()), [&](int64_t i) {
    const auto at = static_cast<size_t>(i);
    checks[at] = CheckNode(*nodes[at].graph, *nodes[at].node);
  });
  std::vector<AccumulatorProof> proofs;
  for (auto& check : checks) {
    LICHEN_TRY(std::optional<AccumulatorProof> proof, std::move(check));
    if (proof) proofs.push_back(std::move(*proof));
  }
  LICHEN_TRY_VOID(CheckTables(net));
  LICHEN_TRY_VOID(CheckCoding(net.coding));
  LICHEN_TRY_VOID(CheckMetadata(net.metadata));
  return proofs;
}

}  // namespace lichen

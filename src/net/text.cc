#include "net/text.h"

#include <algorithm>
#include <bit>
#include <map>

#include "net/check.h"
#include "net/identity.h"
#include "net/shapes.h"

namespace lichen {
namespace {

using Sizes = std::map<std::string, Size2>;

std::string PairText(char name, int32_t h, int32_t w) {
  return h == w ? fmt::format(" {}{}", name, h) : fmt::format(" {}{}x{}", name, h, w);
}

std::string RangeText(ValueRange range) { return fmt::format("[{}, {}]", range.min, range.max); }

// "*17 bit >>23 +b >>4 rounded".
std::string RequantText(const ChannelRequant& r) {
  uint64_t largest = 0;
  for (int64_t m : r.multiplier) {
    largest = std::max(largest,
                       m < 0 ? uint64_t{0} - static_cast<uint64_t>(m) : static_cast<uint64_t>(m));
  }
  std::string text = r.multiplier.size() == 1 ? fmt::format("*{}", r.multiplier[0])
                                              : fmt::format("*{} bit", std::bit_width(largest));
  const auto [low, high] = std::minmax_element(r.pre_shift.begin(), r.pre_shift.end());
  if (*high > 0) {
    text += *low == *high ? fmt::format(" >>{}", *low) : fmt::format(" >>{}..{}", *low, *high);
  }
  const bool has_bias = std::any_of(r.bias.begin(), r.bias.end(), [](int64_t b) { return b != 0; });
  if (has_bias) text += r.bias.size() == 1 ? fmt::format(" {:+}", r.bias[0]) : std::string(" +b");
  if (r.post_shift > 0) text += fmt::format(" >>{} rounded", r.post_shift);
  return text;
}

std::string ParamsText(const FloatNode& node) {
  const FloatParams& p = node.params;
  std::string text;
  if (!p.weights.empty()) text += fmt::format("  {} weights", p.weights.size());
  if (node.kind == OpKind::kLeakyRelu) text += fmt::format("  slope {}", p.slope);
  return text;
}

std::string ParamsText(const IntNode& node) {
  const IntParams& p = node.params;
  std::string text;
  if (!p.weights.empty())
    text += fmt::format("  {} weights of {} bit", p.weights.size(), p.weight_bits);
  if (!p.mask.empty()) {
    text += fmt::format(", {} of {} blocks {}x{} on",
                        std::count(p.mask.begin(), p.mask.end(), uint8_t{1}), p.mask.size(),
                        p.mask_block, p.mask_block);
  }
  if (!p.weights.empty() || node.kind == OpKind::kRequant)
    text += fmt::format("  {}", RequantText(p.requant));
  if (node.kind == OpKind::kLeakyRelu) text += fmt::format("  slope 2^-{}", p.slope_shift);
  if (!p.table.empty()) text += fmt::format("  table of {}", p.table.size());
  return text;
}

template <class GraphType>
std::string GraphText(const GraphType& graph, const Sizes& sizes,
                      const std::map<std::string, AccumulatorProof>& proofs, bool is_integer) {
  const auto info = [&](TensorId id) {
    const TensorInfo& tensor = graph.tensor(id);
    std::string text = fmt::format("{} {}ch", tensor.name, tensor.channels);
    if (const auto it = sizes.find(tensor.name); it != sizes.end()) {
      text += fmt::format(" {}x{}", it->second.h, it->second.w);
    }
    return is_integer ? fmt::format("{} {}", text, RangeText(tensor.range)) : text;
  };
  std::string text = fmt::format("graph {}\n", graph.name);
  for (TensorId id : graph.inputs) text += fmt::format("  in   {}\n", info(id));
  for (const auto& node : graph.nodes) {
    text += fmt::format("  {}  = {}(", info(node.output), Name(node.kind));
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      text += fmt::format("{}{}", i == 0 ? "" : ", ", graph.tensor(node.inputs[i]).name);
    }
    text += fmt::format("){}{}", GeometryText(node.kind, node.geometry), ParamsText(node));
    const auto output = sizes.find(graph.tensor(node.output).name);
    const auto input = sizes.find(graph.tensor(node.inputs[0]).name);
    if (output != sizes.end() && input != sizes.end()) {
      const int64_t macs = MacCount(graph, node, output->second, input->second);
      if (macs > 0) text += fmt::format("  {:.4g} MMAC", static_cast<double>(macs) * 1e-6);
    }
    if (const auto it = proofs.find(graph.tensor(node.output).name); it != proofs.end()) {
      text += fmt::format("  acc {} in {} segment{} ({:.1f} products each), headroom {:.1f} bit",
                          RangeText({it->second.min, it->second.max}), it->second.segments,
                          it->second.segments == 1 ? "" : "s", it->second.products_per_segment,
                          it->second.headroom_bits);
    }
    text += "\n";
  }
  for (TensorId id : graph.outputs) text += fmt::format("  out  {}\n", graph.tensor(id).name);
  return text;
}

std::string MetadataText(const std::map<std::string, std::string>& metadata) {
  std::string text;
  for (const auto& [key, value] : metadata) text += fmt::format("metadata {} = {}\n", key, value);
  return text;
}

Result<std::string> NetText(const FloatNet& net, Size2 picture) {
  LICHEN_TRY_VOID(CheckFloatNet(net));
  Sizes sizes;
  if (picture != Size2{}) {
    LICHEN_TRY(sizes, InferModelSizes(net, picture));
  }
  std::string text = "float net\n";
  for (const FloatGraph& graph : net.graphs) text += GraphText(graph, sizes, {}, false);
  return text + MetadataText(net.metadata);
}

Result<std::string> NetText(const IntNet& net, Size2 picture) {
  LICHEN_TRY(const std::vector<AccumulatorProof> list, CheckIntNet(net));
  std::map<std::string, AccumulatorProof> proofs;
  for (const AccumulatorProof& proof : list) proofs[proof.node] = proof;
  Sizes sizes;
  if (picture != Size2{}) {
    LICHEN_TRY(sizes, InferModelSizes(net, picture));
  }
  std::string text = fmt::format("integer net {}\n", ToHex(ModelIdentity(net)));
  for (const IntGraph& graph : net.graphs) text += GraphText(graph, sizes, proofs, true);
  for (const TableSet& set : net.tables) {
    text += fmt::format("tables {}: {} of {} bit\n", set.name, set.tables.size(), set.prob_bits);
  }
  const LatentCoding& c = net.coding;
  text += fmt::format("coding: latent_shift {}, symbols {}, index_max {}, size_multiple {}\n",
                      c.latent_shift, RangeText(c.symbol_range), c.index_max, c.size_multiple);
  return text + MetadataText(net.metadata);
}

}  // namespace

std::string GeometryText(OpKind kind, const Geometry& g) {
  std::string text;
  const bool has_kernel = kind == OpKind::kConv2d || kind == OpKind::kConvTranspose2d ||
                          kind == OpKind::kMaxPool || kind == OpKind::kLinear;
  if (has_kernel) text += PairText('k', g.kernel_h, g.kernel_w);
  if (g.stride_h != 1 || g.stride_w != 1) text += PairText('s', g.stride_h, g.stride_w);
  const bool is_even = g.pad_top == g.pad_bottom && g.pad_left == g.pad_right;
  if (is_even && (g.pad_top != 0 || g.pad_left != 0)) text += PairText('p', g.pad_top, g.pad_left);
  if (!is_even) {
    text += fmt::format(" p(top {}, bottom {}, left {}, right {})", g.pad_top, g.pad_bottom,
                        g.pad_left, g.pad_right);
  }
  if (g.groups != 1) text += fmt::format(" groups {}", g.groups);
  if (g.block != 1) text += fmt::format(" block {}", g.block);
  if (g.crop != 0) text += fmt::format(" crop {}", g.crop);
  if (g.output_divisor != 1) text += fmt::format(" output_divisor {}", g.output_divisor);
  return text;
}

Result<std::string> ToText(const Model& model, Size2 picture) {
  return std::visit([&](const auto& net) { return NetText(net, picture); }, model);
}

}  // namespace lichen

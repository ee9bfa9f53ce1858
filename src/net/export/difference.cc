#include "net/export/difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <type_traits>

namespace lichen {
namespace {

using Difference = std::optional<std::string>;

std::string ToText(ValueRange range) { return fmt::format("[{}, {}]", range.min, range.max); }
template <class Number>
requires std::is_arithmetic_v<Number> std::string ToText(Number value) {
  return fmt::format("{}", value);
}
std::string ToText(const std::string& text) { return fmt::format("'{}'", text); }

template <class Value>
Difference Compare(const char* what, const Value& net, const Value& read) {
  if (net == read) return std::nullopt;
  return fmt::format("{} is {}, the format has {}", what, ToText(net), ToText(read));
}

template <class Value>
Difference Compare(const char* what, const std::vector<Value>& net,
                   const std::vector<Value>& read) {
  if (net.size() != read.size()) {
    return fmt::format("{} has {} values, the format has {}", what, net.size(), read.size());
  }
  const auto [at, other] = std::mismatch(net.begin(), net.end(), read.begin());
  if (at == net.end()) return std::nullopt;
  return fmt::format("{}[{}] is {}, the format has {}", what, at - net.begin(), ToText(*at),
                     ToText(*other));
}

Difference Compare(const char* what, const ChannelRequant& net, const ChannelRequant& read) {
  Difference d = Compare("multiplier", net.multiplier, read.multiplier);
  if (!d) d = Compare("pre_shift", net.pre_shift, read.pre_shift);
  if (!d) d = Compare("bias", net.bias, read.bias);
  if (!d) d = Compare("post_shift", net.post_shift, read.post_shift);
  if (d) *d = fmt::format("{}.{}", what, *d);
  return d;
}

Difference Compare(const IntParams& net, const IntParams& read) {
  Difference d = Compare("weights", net.weights, read.weights);
  if (!d) d = Compare("weight_bits", net.weight_bits, read.weight_bits);
  if (!d) d = Compare("requant", net.requant, read.requant);
  if (!d) d = Compare("inner_range", net.inner_range, read.inner_range);
  if (!d) d = Compare("gain_requant", net.gain_requant, read.gain_requant);
  if (!d) d = Compare("gain_range", net.gain_range, read.gain_range);
  if (!d) d = Compare("output_requant", net.output_requant, read.output_requant);
  if (!d) d = Compare("table_first", net.table_first, read.table_first);
  if (!d) d = Compare("table", net.table, read.table);
  if (!d) d = Compare("slope_shift", net.slope_shift, read.slope_shift);
  if (!d) d = Compare("mask_block", net.mask_block, read.mask_block);
  if (!d) d = Compare("mask", net.mask, read.mask);
  return d;
}

Difference Compare(const FloatParams& net, const FloatParams& read) {
  Difference d = Compare("weights", net.weights, read.weights);
  if (!d) d = Compare("bias", net.bias, read.bias);
  if (!d) d = Compare("gain", net.gain, read.gain);
  if (!d) d = Compare("gain_bias", net.gain_bias, read.gain_bias);
  if (!d) d = Compare("table", net.table, read.table);
  if (!d) d = Compare("table_first", net.table_first, read.table_first);
  if (!d) d = Compare("slope", net.slope, read.slope);
  return d;
}

Difference Compare(const TensorInfo& net, const TensorInfo& read) {
  Difference d = Compare("name", net.name, read.name);
  if (!d) d = Compare("channels", net.channels, read.channels);
  if (!d) d = Compare("range", net.range, read.range);
  if (!d) d = Compare("scale", net.scale, read.scale);
  return d;
}

template <class Params>
Difference Compare(const Graph<Params>& net, const Graph<Params>& read) {
  Difference d = Compare("number of layers", net.nodes.size(), read.nodes.size());
  if (!d) d = Compare("number of tensors", net.tensors.size(), read.tensors.size());
  if (d) return d;
  for (size_t i = 0; i < net.tensors.size(); ++i) {
    d = Compare(net.tensors[i], read.tensors[i]);
    if (d) return fmt::format("tensor {}: {}", net.tensors[i].name, *d);
  }
  for (size_t i = 0; i < net.nodes.size(); ++i) {
    const auto& a = net.nodes[i];
    const auto& b = read.nodes[i];
    const std::string place = fmt::format("layer {}: ", net.tensor(a.output).name);
    if (a.kind != b.kind) {
      return place + fmt::format("is {}, the format has {}", Name(a.kind), Name(b.kind));
    }
    if (a.inputs != b.inputs || a.output != b.output) return place + "is wired in another way";
    if (a.geometry != b.geometry) return place + "has another kernel, stride or padding";
    d = Compare(a.params, b.params);
    if (d) return place + *d;
  }
  if (net.inputs != read.inputs) return "its inputs are others";
  if (net.outputs != read.outputs) return "its outputs are others";
  return std::nullopt;
}

template <class Net>
Difference CompareGraphs(const Net& net, const Net& read) {
  const auto names = [](const Net& n) {
    std::vector<std::string> list;
    for (const auto& graph : n.graphs) list.push_back(graph.name);
    return list;
  };
  if (Difference d = Compare("graphs", names(net), names(read))) return d;
  for (size_t i = 0; i < net.graphs.size(); ++i) {
    const Difference d = Compare(net.graphs[i], read.graphs[i]);
    if (d) return fmt::format("graph {}: {}", net.graphs[i].name, *d);
  }
  return std::nullopt;
}

}  // namespace

Difference FirstDifference(const IntNet& net, const IntNet& read) {
  Difference d = CompareGraphs(net, read);
  if (!d && net.tables != read.tables) d = "the probability tables do not survive";
  if (!d) d = Compare("latent_shift", net.coding.latent_shift, read.coding.latent_shift);
  if (!d) d = Compare("symbol_range", net.coding.symbol_range, read.coding.symbol_range);
  if (!d) d = Compare("index_max", net.coding.index_max, read.coding.index_max);
  if (!d) d = Compare("size_multiple", net.coding.size_multiple, read.coding.size_multiple);
  return d;
}

Difference FirstDifference(const FloatNet& net, const FloatNet& read) {
  Difference d = CompareGraphs(net, read);
  if (!d) d = Compare("size_multiple", net.size_multiple, read.size_multiple);
  return d;
}

}  // namespace lichen

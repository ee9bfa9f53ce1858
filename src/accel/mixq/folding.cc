#include "accel/mixq/folding.h"

#include <algorithm>
#include <numeric>

#include "base/files.h"
#include "base/toml_section.h"

namespace lichen::mixq {
namespace {

constexpr int64_t kMaxFolding = 4096;
constexpr int64_t kMaxWordBits = 4096;
constexpr uint64_t kMaxFileBytes = 1 << 20;

// "1, 2, 4 and 8": divisors of `of` up to the largest folding.
std::string Divisors(int64_t of) {
  std::vector<int64_t> divisors;
  for (int64_t d = 1; d <= std::min(of, kMaxFolding); ++d) {
    if (of % d == 0) divisors.push_back(d);
  }
  return fmt::format("{}", fmt::join(divisors, ", "));
}

class LayerReader {
 public:
  LayerReader(const toml::table& table, const std::string& place, const Network& network,
              Layer& layer)
      : table_(table), section_(table, place, layer.name), network_(network), layer_(layer) {}

  Result<void> Run() {
    Folding& f = layer_.folding;
    f = {};
    section_.Read("simd", f.simd, 1, kMaxFolding);
    section_.Read("pe", f.pe, 1, kMaxFolding);
    if (layer_.is_linear) section_.Read("in_pe", f.in_pe, 1, kMaxFolding);
    if (!table_.contains("simd")) section_.Missing("simd");
    if (!table_.contains("pe")) section_.Missing("pe");
    if (f.simd > 0 && f.pe > 0) {
      if (layer_.is_linear && f.in_pe == 0) f.in_pe = f.simd;
      CheckDivisions(f);
      CheckWords(f);
    }
    return section_.Finish();
  }

 private:
  void CheckDivisions(const Folding& f) {
    const int64_t in = network_.input(layer_).channels;
    const int64_t out = network_.output(layer_).channels;
    if (layer_.is_linear) {
      if (out % 2 != 0) {
        return Refuse("pe", fmt::format("the layer has {} outputs, and the library computes them "
                                        "in pairs; give the network an even number",
                                        out));
      }
      Divide("pe", f.pe, out / 2, fmt::format("half of its {} outputs", out));
      Divide("in_pe", f.in_pe, in, fmt::format("its {} input channels", in));
      Divide("simd", f.simd, f.in_pe, fmt::format("in_pe, {}", f.in_pe));
      return;
    }
    const int64_t taps = layer_.kernel * (layer_.is_depthwise ? 1 : in);
    Divide("pe", f.pe, out, fmt::format("its {} output channels", out));
    Divide("simd", f.simd, taps,
           fmt::format("kernel {} x {} input channels, {}", layer_.kernel,
                       layer_.is_depthwise ? 1 : in, taps));
  }

  void Divide(std::string_view key, int64_t value, int64_t whole, const std::string& what) {
    if (whole % value == 0) return;
    Refuse(key, fmt::format("{} does not divide {}; take one of {}", value, what, Divisors(whole)));
  }

  void CheckWords(const Folding& f) {
    const Place& in = network_.input(layer_);
    const int64_t lanes = layer_.is_linear ? 2 * f.pe : f.pe;
    const int64_t window =
        layer_.is_linear ? 0 : layer_.kernel * f.simd * in.bits * (layer_.is_depthwise ? f.pe : 1);
    const int64_t widest =
        std::max({window, 2 * f.simd * layer_.weight_bits, lanes * network_.output(layer_).bits});
    if (widest > kMaxWordBits) {
      Refuse("simd", fmt::format("makes words of {} bits with this pe, more than {}; take less",
                                 widest, kMaxWordBits));
    }
  }

  void Refuse(std::string_view key, const std::string& reason) {
    const toml::node* node = table_.get(key);
    section_.Refuse(node ? *node : table_, key, reason);
  }

  const toml::table& table_;
  TomlSection section_;
  const Network& network_;
  Layer& layer_;
};

// Channels per word of every place: a layer gives its PE at a time, the rest keeps what it reads.
void SetLanes(Network& network) {
  const IntGraph& graph = *network.graph;
  Place& picture = network.places[static_cast<size_t>(graph.inputs[0].index)];
  picture.lanes = picture.channels;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const IntNode& node = graph.nodes[i];
    Place& out = network.places[static_cast<size_t>(node.output.index)];
    out.lanes = network.place(node.inputs[0]).lanes;
    if (node.kind == OpKind::kConcat) {
      out.lanes = std::gcd(out.lanes, network.place(node.inputs[1]).lanes);
    }
    if (const Layer* layer = network.LayerOf(i)) {
      out.lanes = layer->folding.pe * (layer->is_linear ? 2 : 1);
    }
  }
}

}  // namespace

Result<void> ReadFoldings(std::string_view text, const std::string& place, Network& network) {
  const toml::parse_result parsed = toml::parse(text, place);
  if (!parsed) {
    return Fail("{}: line {}: {}", place, parsed.error().source().begin.line,
                parsed.error().description());
  }
  std::vector<std::string> names;
  for (const Layer& layer : network.layers) names.push_back(layer.name);
  TomlSection root(parsed.table(), place, "");
  for (Layer& layer : network.layers) {
    const toml::node* node = root.Find(layer.name);
    if (!node) continue;
    if (!node->is_table()) {
      root.Refuse(*node, layer.name, "must be a table: [layer] with simd and pe");
      continue;
    }
    LICHEN_TRY_VOID(LayerReader(*node->as_table(), place, network, layer).Run());
  }
  LICHEN_TRY_VOID(root.Finish());
  for (const Layer& layer : network.layers) {
    if (layer.folding.pe > 0) continue;
    return Fail(
        "{}: layer '{}' is missing; every layer with weights needs a table with simd and pe: {}",
        place, layer.name, fmt::join(names, ", "));
  }
  SetLanes(network);
  return {};
}

Result<void> LoadFoldings(const std::filesystem::path& path, Network& network) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, kMaxFileBytes));
  return ReadFoldings({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path.string(),
                      network);
}

}  // namespace lichen::mixq

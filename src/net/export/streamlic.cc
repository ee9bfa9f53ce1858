#include "net/import/streamlic.h"

#include <cmath>
#include <string>
#include <vector>

#include "base/files.h"
#include "net/export/difference.h"
#include "net/export/formats.h"
#include "net/export/safetensors_writer.h"
#include "net/import/weights.h"

namespace lichen {
namespace {

using Type = SafetensorsWriter::Type;

// Takes the parameters out of the layers, by their names. What it does not look at (geometries,
// ranges, wiring) is compared when the bytes are read again.
class Exporter {
 public:
  explicit Exporter(const IntNet& net) : net_(net) {}

  Result<std::vector<uint8_t>> Run() {
    LICHEN_TRY_VOID(Chain("analysis", "g_a", 7, false));
    LICHEN_TRY_VOID(Chain("synthesis", "g_s", 7, true));
    LICHEN_TRY_VOID(Chain("hyper_analysis", "h_a", 3, false));
    LICHEN_TRY_VOID(Conv("hyper_synthesis", "h_s.0", true));
    LICHEN_TRY_VOID(Conv("hyper_synthesis", "h_s.2", true));
    LICHEN_TRY_VOID(Conv("context", "context_prediction.1", false));
    LICHEN_TRY_VOID(Conv("context", "context_prediction.3", false));
    LICHEN_TRY_VOID(Conv("entropy_parameters", "entropy_parameters.2", false));
    LICHEN_TRY_VOID(FinalScale());
    for (size_t i = 0; i < net_.tables.size(); ++i) AddTables(net_.tables[i], i);
    std::map<std::string, std::string> metadata;
    for (const char* key : {"name", "licence"}) {
      const auto it = net_.metadata.find(key);
      if (it != net_.metadata.end()) metadata.insert(*it);
    }
    return std::move(file_).Finish(metadata);
  }

 private:
  struct Layer {
    const IntGraph* graph;
    const IntNode* node;
    const TensorInfo& output() const { return graph->tensor(node->output); }
    int64_t in() const { return graph->tensor(node->inputs[0]).channels; }
  };

  Result<Layer> Find(const std::string& graph_name, const std::string& name, OpKind kind) const {
    const IntGraph* graph = net_.Find(graph_name);
    if (!graph) return Fail("the model has no graph {}", graph_name);
    for (const IntNode& node : graph->nodes) {
      if (graph->tensor(node.output).name == name && node.kind == kind) return Layer{graph, &node};
    }
    return Fail("graph {} has no layer {} ({})", graph_name, name, Name(kind));
  }

  static std::string Place(const Layer& layer) {
    return fmt::format("graph {}: layer {}", layer.graph->name, layer.output().name);
  }

  // Weights in the file's order; output channel n of the file is to(n) of the net.
  template <class To>
  void AddWeights(const std::string& name, const Layer& layer, To to) {
    const Geometry& g = layer.node->geometry;
    const int64_t out = layer.output().channels;
    file_.AddIntegers(name, Type::kI16, {out, layer.in(), g.kernel_h, g.kernel_w},
                      OihwFromOhwi<int64_t>(layer.node->params.weights, out, layer.in(), g.kernel_h,
                                            g.kernel_w, to));
  }

  template <class Value, class To>
  Result<void> AddChannels(const std::string& name, const Layer& layer,
                           const std::vector<Value>& values, To to) {
    const int64_t channels = layer.output().channels;
    if (static_cast<int64_t>(values.size()) != channels) {
      return Fail("{}: has one value for all channels where {} holds one for each", Place(layer),
                  name);
    }
    std::vector<int64_t> moved(values.size());
    for (int64_t n = 0; n < channels; ++n) {
      moved[static_cast<size_t>(n)] = values[static_cast<size_t>(to(n))];
    }
    file_.AddIntegers(name, Type::kI32, {channels}, moved);
    return {};
  }

  // The blocks of a mask spread over the weights they stand for, [out][in][ky][kx].
  Result<void> AddMask(const std::string& name, const Layer& layer) {
    const IntParams& p = layer.node->params;
    const Geometry& g = layer.node->geometry;
    const int64_t out = layer.output().channels, in = layer.in(), block = p.mask_block;
    if (block == 0) {
      return Fail("{}: is dense; the format's has a mask of 12x12 blocks", Place(layer));
    }
    const int64_t taps = int64_t{g.kernel_h} * g.kernel_w;
    std::vector<int64_t> mask(p.weights.size());
    for (int64_t i = 0; i < std::ssize(mask); ++i) {
      const int64_t tap = i % taps, ic = i / taps % in, oc = i / taps / in;
      mask[static_cast<size_t>(i)] =
          p.mask[static_cast<size_t>((oc / block * taps + tap) * (in / block) + ic / block)];
    }
    file_.AddIntegers(name, Type::kU8, {out, in, g.kernel_h, g.kernel_w}, mask);
    return {};
  }

  Result<void> AddScale(const std::string& name, const Layer& layer) {
    const std::vector<double>& scale = layer.output().scale;
    if (scale.size() != 1) {
      return Fail("{}: its output has a scale per channel; the format has one per layer",
                  Place(layer));
    }
    file_.AddFloat(name, scale[0]);
    return {};
  }

  // A convolution; that of an upsampling layer is in the order of PixelShuffle in the file.
  Result<void> Conv(const std::string& graph, const std::string& name, bool is_up) {
    LICHEN_TRY(const Layer layer, Find(graph, is_up ? name + ".conv" : name, OpKind::kConv2d));
    const IntParams& p = layer.node->params;
    const int64_t out = layer.output().channels;
    if (layer.node->geometry.groups != 1) return Fail("{}: has groups", Place(layer));
    if (is_up && out % 4 != 0) return Fail("{}: its channels do not divide by 4", Place(layer));
    const auto to = [&](int64_t n) { return is_up ? StreamlicShuffledChannel(n, out) : n; };
    const std::string prefix = "param/" + name + "/";
    AddWeights(prefix + "weight", layer, to);
    LICHEN_TRY_VOID(AddChannels(prefix + "bias", layer, p.requant.bias, to));
    LICHEN_TRY_VOID(AddChannels(prefix + "scale_param", layer, p.requant.multiplier, to));
    LICHEN_TRY_VOID(AddChannels(prefix + "scale_shift", layer, p.requant.pre_shift, to));
    if (graph == "context" || graph == "entropy_parameters") {
      LICHEN_TRY_VOID(AddMask(prefix + "mask", layer));
    }
    return AddScale(prefix + "float_output_scale", layer);
  }

  Result<void> Lagc(const std::string& graph, const std::string& name) {
    LICHEN_TRY(const Layer layer, Find(graph, name, OpKind::kLagc));
    const IntParams& p = layer.node->params;
    const auto same = [](int64_t n) { return n; };
    const std::string prefix = "param/" + name + "/";
    const auto add = [&](const char* what, const auto& values) {
      return AddChannels(prefix + what, layer, values, same);
    };
    AddWeights(prefix + "affine_weight", layer, same);
    LICHEN_TRY_VOID(add("affine_bias", p.requant.bias));
    LICHEN_TRY_VOID(add("affine_scale_param", p.requant.multiplier));
    LICHEN_TRY_VOID(add("affine_scale_shift", p.requant.pre_shift));
    LICHEN_TRY_VOID(add("score_scale_param", p.gain_requant.multiplier));
    LICHEN_TRY_VOID(add("score_scale_shift", p.gain_requant.pre_shift));
    LICHEN_TRY_VOID(add("score_bias", p.gain_requant.bias));
    LICHEN_TRY_VOID(add("output_scale_param", p.output_requant.multiplier));
    LICHEN_TRY_VOID(add("output_scale_shift", p.output_requant.pre_shift));
    // Not in StreamLIC's own files, where it is unknown.
    if (layer.output().scale == std::vector<double>{1}) return {};
    return AddScale(prefix + "float_output_scale", layer);
  }

  // Conv or upsampling layers 0, 2, 4, ... with Lagc between them.
  Result<void> Chain(const std::string& graph, const std::string& prefix, int layers, bool is_up) {
    for (int i = 0; i < layers; ++i) {
      const std::string name = fmt::format("{}.{}", prefix, i);
      LICHEN_TRY_VOID(i % 2 == 1 ? Lagc(graph, name) : Conv(graph, name, is_up));
    }
    return {};
  }

  // The scale whose requantiser is that of the net.
  Result<void> FinalScale() {
    LICHEN_TRY(const Layer layer, Find("synthesis", "output", OpKind::kRequant));
    const ChannelRequant& want = layer.node->params.requant;
    const auto near = static_cast<float>(
        std::ldexp(static_cast<double>(want.multiplier[0]), -want.post_shift) / 255);
    for (const float scale : {near, std::nextafter(near, 0.0f), std::nextafter(near, 1e9f)}) {
      const auto got = StreamlicFinalRequant(scale);
      if (!got || *got != want) continue;
      file_.AddFloat("final_scale", scale);
      return {};
    }
    return Fail(
        "{}: the format states it as one scale s, for (v * s + 0.5) * 255 with a 16-bit multiplier "
        "and bias 127.5; this requantiser is another",
        Place(layer));
  }

  void AddTables(const TableSet& set, size_t position) {
    const auto count = static_cast<int64_t>(set.tables.size());
    std::vector<int64_t> counts, firsts, escapes, frequencies;
    for (const ProbabilityTable& table : set.tables) {
      counts.push_back(static_cast<int64_t>(table.frequencies.size()));
      firsts.push_back(table.min_symbol);
      escapes.push_back(table.has_escape ? 1 : 0);
      frequencies.insert(frequencies.end(), table.frequencies.begin(), table.frequencies.end());
    }
    const std::string prefix = "table/" + set.name + "/";
    const std::vector<int64_t> at = {static_cast<int64_t>(position)}, bits = {set.prob_bits};
    file_.AddIntegers(prefix + "position", Type::kI32, {1}, at);
    file_.AddIntegers(prefix + "prob_bits", Type::kI32, {1}, bits);
    file_.AddIntegers(prefix + "count", Type::kI32, {count}, counts);
    file_.AddIntegers(prefix + "min_symbol", Type::kI32, {count}, firsts);
    file_.AddIntegers(prefix + "has_escape", Type::kU8, {count}, escapes);
    file_.AddIntegers(prefix + "frequencies", Type::kI32, {std::ssize(frequencies)}, frequencies);
  }

  const IntNet& net_;
  SafetensorsWriter file_;
};

}  // namespace

Result<std::vector<uint8_t>> SerializeStreamlic(const IntNet& net) {
  const std::string_view why = "cannot be written as streamlic";
  LICHEN_TRY(std::vector<uint8_t> bytes, InPlace(why, Exporter(net).Run()));
  LICHEN_TRY(const Safetensors file, Safetensors::Parse(bytes, std::string(why)));
  LICHEN_TRY(const IntNet read, StreamlicNet(file));
  if (const auto difference = FirstDifference(net, read)) return Fail("{}: {}", why, *difference);
  return bytes;
}

Result<void> ExportStreamlic(const Model& model, const std::filesystem::path& output) {
  if (output.extension() == ".xz") {
    return FailUsage("{}: is written uncompressed; name it .safetensors and compress it with xz",
                     output.string());
  }
  const auto* net = std::get_if<IntNet>(&model);
  if (!net) {
    return Fail(
        "cannot be written as streamlic: is a float network; make an integer one with `lichen "
        "quantize`");
  }
  LICHEN_TRY(const std::vector<uint8_t> bytes, SerializeStreamlic(*net));
  return WriteFile(output, bytes);
}

}  // namespace lichen

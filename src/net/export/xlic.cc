#include "net/import/xlic.h"

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/files.h"
#include "net/export/difference.h"
#include "net/export/formats.h"

namespace lichen {
namespace {

constexpr std::string_view kWhy = "cannot be written as xlic";

const FloatNode* Find(const FloatGraph& graph, std::string_view name) {
  for (const FloatNode& node : graph.nodes) {
    if (graph.tensor(node.output).name == name) return &node;
  }
  return nullptr;
}

bool IsZero(const std::vector<float>& values) {
  return std::ranges::all_of(values, [](float v) { return v == 0; });
}

// Absent biases become zeros where the format has some; zeros become absent where it has none.
Result<void> AdaptBiases(FloatGraph& graph, std::span<const XlicLayer> layers) {
  for (const XlicLayer& layer : layers) {
    for (FloatNode& node : graph.nodes) {
      if (graph.tensor(node.output).name != layer.name) continue;
      std::vector<float>& bias = node.params.bias;
      if (layer.has_bias && bias.empty()) bias.resize(static_cast<size_t>(layer.out));
      if (layer.has_bias) continue;
      if (!IsZero(bias)) {
        return Fail(
            "graph {}: layer {} has a bias, which the format has no place for; train with "
            "`latent_bias = false` in the recipe's [network]",
            graph.name, layer.name);
      }
      bias.clear();
    }
  }
  return {};
}

Result<void> Append(const FloatGraph& graph, std::string_view name, const XlicLayer& layer,
                    bool is_rotated, std::vector<float>& weights, std::vector<float>& biases) {
  const FloatNode* node = Find(graph, name);
  if (!node) return Fail("graph {} has no layer {}", graph.name, name);
  const int64_t taps = int64_t{layer.kernel} * layer.kernel;
  const std::vector<float>& values = node->params.weights;
  if (std::ssize(values) != layer.out * taps * layer.in) {
    return Fail("graph {}: layer {} has {} weights, expected {} x {} x {} x {}", graph.name, name,
                values.size(), layer.out, layer.kernel, layer.kernel, layer.in);
  }
  const size_t first = weights.size();
  weights.resize(first + values.size());
  size_t from = 0;
  for (int64_t oc = 0; oc < layer.out; ++oc) {
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t ic = 0; ic < layer.in; ++ic) {
        weights[first + XlicIndex(layer, is_rotated, oc, tap, ic)] = values[from++];
      }
    }
  }
  biases.insert(biases.end(), node->params.bias.begin(), node->params.bias.end());
  return {};
}

Result<void> AppendGraph(const FloatGraph& graph, std::span<const XlicLayer> layers,
                         std::vector<float>& weights, std::vector<float>& biases) {
  const bool is_rotated = graph.name == "synthesis";
  for (const XlicLayer& layer : layers) {
    LICHEN_TRY_VOID(Append(graph, layer.name, layer, is_rotated, weights, biases));
    if (!layer.norm) continue;
    const XlicLayer gamma{nullptr, nullptr, 1, 1, layer.out, layer.out, true, 1};
    LICHEN_TRY_VOID(Append(graph, layer.norm, gamma, false, weights, biases));
  }
  return {};
}

Result<XlicValues> ValuesOf(FloatNet net) {
  if (net.graphs.size() != 2 || net.graphs[0].name != "analysis" ||
      net.graphs[1].name != "synthesis") {
    return Fail("its graphs are not analysis and synthesis");
  }
  FloatGraph& analysis = net.graphs[0];
  FloatGraph& synthesis = net.graphs[1];
  const FloatNode* first = Find(analysis, "ana_0");
  const FloatNode* last = Find(analysis, "y");
  if (!first || !last) {
    return Fail("graph analysis has no layers ana_0 and y: it is not of bls2017's shape");
  }
  const XlicSizes sizes{analysis.tensor(first->output).channels,
                        analysis.tensor(last->output).channels};
  LICHEN_TRY_VOID(AdaptBiases(analysis, sizes.Analysis()));
  LICHEN_TRY_VOID(AdaptBiases(synthesis, sizes.Synthesis()));
  XlicValues values;
  LICHEN_TRY_VOID(AppendGraph(analysis, sizes.Analysis(), values[0], values[1]));
  LICHEN_TRY_VOID(AppendGraph(synthesis, sizes.Synthesis(), values[2], values[3]));
  LICHEN_TRY(const XlicSizes read, XlicSizesOf(values));
  if (const auto difference = FirstDifference(net, XlicNet(values, read))) {
    return Fail("{}", *difference);
  }
  return values;
}

}  // namespace

Result<void> ExportXlic(const Model& model, const std::filesystem::path& output) {
  const auto* net = std::get_if<FloatNet>(&model);
  if (!net) {
    return Fail("{}: is an integer network; the format holds floats", kWhy);
  }
  LICHEN_TRY(const XlicValues values, InPlace(kWhy, ValuesOf(*net)));
  std::vector<OutputFile> files;
  for (size_t i = 0; i < values.size(); ++i) {
    LICHEN_TRY(OutputFile file, OutputFile::Create(output / kXlicFiles[i]));
    const auto* bytes = reinterpret_cast<const uint8_t*>(values[i].data());
    LICHEN_TRY_VOID(file.Write({bytes, values[i].size() * sizeof(float)}));
    files.push_back(std::move(file));
  }
  for (size_t i = 0; i < files.size(); ++i) {
    Result<void> result = files[i].Commit();
    if (result) continue;
    std::error_code ignored;  // no part of a set is left
    for (size_t done = 0; done < i; ++done) {
      std::filesystem::remove(output / kXlicFiles[done], ignored);
    }
    return result;
  }
  return {};
}

}  // namespace lichen

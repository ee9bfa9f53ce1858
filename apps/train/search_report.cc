#include "apps/train/search_report.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <tuple>

#include "base/files.h"
#include "report/svg_plot.h"
#include "report/table.h"
#include "target/packing.h"

namespace lichen {
namespace {

using Key = std::tuple<int64_t, int, int>;

constexpr uint64_t kMaxBytes = uint64_t{1} << 28;

Result<double> ParseNumber(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return Fail("'{}' is no number", text);
  }
  return value;
}

Result<std::string> ReadText(const std::filesystem::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, kMaxBytes));
  return std::string(bytes.begin(), bytes.end());
}

Result<std::map<Key, double>> ParseFactors(const Table& table) {
  std::vector<size_t> columns;
  for (const char* name : {"kernel", "weight_bits", "activation_bits", "factor"}) {
    const auto it = std::find(table.header.begin(), table.header.end(), name);
    if (it == table.header.end()) return Fail("has no column '{}'", name);
    columns.push_back(static_cast<size_t>(it - table.header.begin()));
  }
  std::map<Key, double> factors;
  for (const auto& row : table.rows) {
    double numbers[4];
    for (size_t i = 0; i < 4; ++i) {
      LICHEN_TRY(numbers[i], ParseNumber(row[columns[i]]));
    }
    if (!(numbers[3] > 0) || numbers[0] < 1 || numbers[0] > 1e6) {
      return Fail("kernel {} or factor {} is not positive", numbers[0], numbers[3]);
    }
    factors[{static_cast<int64_t>(numbers[0]), static_cast<int>(numbers[1]),
             static_cast<int>(numbers[2])}] = numbers[3];
  }
  return factors;
}

CnnPrecision Eights(const CnnDefinition& net) {
  const std::vector<int> bits(net.layers.size(), kMaxBits);
  return {.weight_bits = bits, .activation_bits = bits};
}

double Cycles(const std::vector<LayerCost>& costs) {
  double sum = 0;
  for (const LayerCost& cost : costs) sum += cost.dsp_cycles;
  return sum;
}

}  // namespace

Result<DspFactorFunction> ReadFactors(const std::filesystem::path& path, const CnnDefinition& net) {
  LICHEN_TRY(const std::string text, ReadText(path));
  LICHEN_TRY(const Table table, InPlace(path.string(), ParseCsv(text)));
  LICHEN_TRY(const auto factors, InPlace(path.string(), ParseFactors(table)));
  for (const CnnLayer& layer : net.layers) {
    for (int w = kMinBits; w <= kMaxBits; ++w) {
      for (int a = kMinBits; a <= kMaxBits; ++a) {
        if (factors.count({PackedKernel(layer), w, a})) continue;
        return Fail("{}: has no line for kernel {}, weights of {} and activations of {} bits",
                    path.string(), PackedKernel(layer), w, a);
      }
    }
  }
  return DspFactorFunction([factors](int64_t kernel, int w, int a) {
    return factors.at({kernel, w, a});
  });
}

DspFactorFunction PackingFactors(QuantiserKind quantiser) {
  const WeightRange range =
      quantiser == QuantiserKind::kHalfWave ? WeightRange::kFull : WeightRange::kNarrow;
  return [range](int64_t kernel, int weight_bits, int activation_bits) {
    return DspFactor(static_cast<int>(kernel), weight_bits, activation_bits, range);
  };
}

std::string CostTable(const CnnDefinition& net, const CnnTrainResult& result,
                      const DspFactorFunction& factor) {
  const std::vector<LayerCost> costs = CostsOf(net, result.choice, factor);
  const std::vector<LayerCost> eights = CostsOf(net, Eights(net), factor);
  const size_t layers = costs.size();
  Table table{.header = {"layer", "MMAC", "bitw", "share", "bita", "share", "factor",
                         "DSP megacycles", "at 8/8"},
              .rows = {}};
  for (size_t i = 0; i < layers; ++i) {
    const auto share = [&](size_t row, int bits) {
      return fmt::format("{:.2f}", result.shares[row][static_cast<size_t>(bits - kMinBits)]);
    };
    const int w = result.choice.weight_bits[i], a = result.choice.activation_bits[i];
    table.rows.push_back(
        {std::to_string(i), fmt::format("{:.3f}", static_cast<double>(costs[i].mac_count) / 1e6),
         std::to_string(w), share(i, w), std::to_string(a), share(layers + i, a),
         fmt::format("{:.2f}", costs[i].factor), fmt::format("{:.4f}", costs[i].dsp_cycles / 1e6),
         fmt::format("{:.4f}", eights[i].dsp_cycles / 1e6)});
  }
  return fmt::format("{}DSP megacycles {:.4f}, {:.4f} at 8/8: {:.2f} times as fast\n",
                     ToText(table), Cycles(costs) / 1e6, Cycles(eights) / 1e6,
                     Cycles(eights) / Cycles(costs));
}

nlohmann::ordered_json CostJson(const CnnDefinition& net, const CnnTrainResult& result,
                                const DspFactorFunction& factor) {
  const std::vector<LayerCost> costs = CostsOf(net, result.choice, factor);
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (size_t i = 0; i < costs.size(); ++i) {
    layers.push_back({{"mac_count", costs[i].mac_count},
                      {"weight_bits", result.choice.weight_bits[i]},
                      {"activation_bits", result.choice.activation_bits[i]},
                      {"weight_shares", result.shares[i]},
                      {"activation_shares", result.shares[costs.size() + i]},
                      {"factor", costs[i].factor},
                      {"dsp_cycles", costs[i].dsp_cycles}});
  }
  return {{"bitw", BitString(result.choice.weight_bits)},
          {"bita", BitString(result.choice.activation_bits)},
          {"dsp_cycles", Cycles(costs)},
          {"dsp_cycles_at_8", Cycles(CostsOf(net, Eights(net), factor))},
          {"layers", layers}};
}

Result<std::string> SearchPlot(const std::filesystem::path& log, const std::string& title,
                               const std::string& score_name) {
  LICHEN_TRY(const std::string text, ReadText(log));
  PlotSeries score = {.name = score_name}, cost = {.name = "cost"};
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    const auto line =
        nlohmann::json::parse(text.begin() + static_cast<std::ptrdiff_t>(begin),
                              text.begin() + static_cast<std::ptrdiff_t>(end), nullptr, false);
    begin = end + 1;
    if (!line.is_object() || !line.contains("cost")) continue;
    const double step = line["step"].get<double>();
    score.points.emplace_back(step, line[score_name].get<double>());
    cost.points.emplace_back(step, line["cost"].get<double>());
  }
  return StackSvg(
      {{.title = title,
        .x_label = "step",
        .y_label = score_name,
        .series = {score},
        .height_px = 320},
       {.title = "", .x_label = "step", .y_label = "cost", .series = {cost}, .height_px = 320}});
}

}  // namespace lichen

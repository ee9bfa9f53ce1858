#include "apps/train/search_report.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

#include "base/check.h"
#include "base/files.h"
#include "report/svg_plot.h"
#include "report/table.h"

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

Result<std::map<Key, PackedProducts>> ParsePacking(const Table& table) {
  std::vector<size_t> columns;
  for (const char* name : {"kernel", "weight_bits", "activation_bits", "factor", "luts"}) {
    const auto it = std::find(table.header.begin(), table.header.end(), name);
    if (it != table.header.end()) {
      columns.push_back(static_cast<size_t>(it - table.header.begin()));
    } else if (std::string_view(name) != "luts") {
      return Fail("has no column '{}'", name);
    }
  }
  std::map<Key, PackedProducts> packing;
  for (const auto& row : table.rows) {
    std::array<double, 5> numbers{};
    for (size_t i = 0; i < columns.size(); ++i) {
      LICHEN_TRY(numbers[i], ParseNumber(row[columns[i]]));
    }
    if (!(numbers[3] > 0) || numbers[0] < 1 || numbers[0] > 1e6 || !(numbers[4] >= 0)) {
      return Fail("kernel {}, factor {} or luts {} is out of range", numbers[0], numbers[3],
                  numbers[4]);
    }
    packing[{static_cast<int64_t>(numbers[0]), static_cast<int>(numbers[1]),
             static_cast<int>(numbers[2])}] = {numbers[3], numbers[4]};
  }
  return packing;
}

CnnPrecision Eights(const CnnDefinition& net) {
  const std::vector<int> bits(net.layers.size(), kMaxBits);
  return {.weight_bits = bits, .activation_bits = bits};
}

// Of no DSP with more LUTs than its share, cycles of the DSP; else of those LUTs.
double CyclesPerProduct(const PackedProducts& p, const HardwareBudget& budget) {
  const double luts_per_dsp = budget.dsp > 0 ? budget.lut / budget.dsp : 0;
  return std::max(1.0, luts_per_dsp > 0 ? p.luts / luts_per_dsp : 0) / p.factor;
}

}  // namespace

Result<PackingFunction> ReadPacking(const std::filesystem::path& path, const CnnDefinition& net) {
  LICHEN_TRY(const std::string text, ReadText(path));
  LICHEN_TRY(const Table table, InPlace(path.string(), ParseCsv(text)));
  LICHEN_TRY(const auto packing, InPlace(path.string(), ParsePacking(table)));
  for (const CnnLayer& layer : net.layers) {
    for (int w = kMinBits; w <= kMaxBits; ++w) {
      for (int a = kMinBits; a <= kMaxBits; ++a) {
        if (packing.count({PackedKernel(layer), w, a})) continue;
        return Fail("{}: has no line for kernel {}, weights of {} and activations of {} bits",
                    path.string(), PackedKernel(layer), w, a);
      }
    }
  }
  return PackingFunction([packing](int64_t kernel, int w, int a) {
    return packing.at({kernel, w, a});
  });
}

HardwareBudget BudgetOf(const Board& board) {
  return {.dsp = static_cast<double>(board.dsp),
          .lut = kUsableLuts * static_cast<double>(board.lut),
          .bram36 = static_cast<double>(board.bram36)};
}

PackingFunction BestPacking(QuantiserKind quantiser, DspDevice device,
                            const HardwareBudget& budget) {
  const WeightRange range =
      quantiser == QuantiserKind::kHalfWave ? WeightRange::kFull : WeightRange::kNarrow;
  return
      [=, known = std::make_shared<std::map<Key, PackedProducts>>()](int64_t kernel, int w, int a) {
        const auto [it, is_new] = known->try_emplace(Key{kernel, w, a});
        if (!is_new) return it->second;
        std::optional<PackedProducts> best;
        for (int overlap = 0; overlap <= 2; ++overlap) {
          const auto recipe = SearchPacking({.kernel = static_cast<int>(kernel),
                                             .weight_bits = w,
                                             .activation_bits = a,
                                             .weight_range = range,
                                             .device = device,
                                             .max_overlap = overlap});
          LICHEN_CHECK(recipe && *recipe);  // a product of 8 by 8 bits always fits
          const PackedProducts found = {(*recipe)->factor, (*recipe)->luts};
          if (!best || CyclesPerProduct(found, budget) < CyclesPerProduct(*best, budget))
            best = found;
        }
        return it->second = *best;
      };
}

std::string CostTable(const CnnDefinition& net, const ChosenWidths& chosen,
                      const HardwareModel& hardware, const std::string& board) {
  const std::vector<LayerCost> costs = CostsOf(net, chosen.widths, hardware.packing);
  const std::vector<LayerCost> eights = CostsOf(net, Eights(net), hardware.packing);
  const size_t layers = costs.size();
  Table table{.header = {"layer", "MMAC", "bitw", "share", "bita", "share", "factor", "LUT/DSP",
                         "DSP megacycles", "at 8/8", "weights kbit", "rows kbit"},
              .rows = {}};
  for (size_t i = 0; i < layers; ++i) {
    const auto share = [&](size_t row, int bits) -> std::string {
      if (chosen.shares.empty()) return "-";
      return fmt::format("{:.2f}", chosen.shares[row][static_cast<size_t>(bits - kMinBits)]);
    };
    const int w = chosen.widths.weight_bits[i], a = chosen.widths.activation_bits[i];
    const LayerCost& c = costs[i];
    table.rows.push_back(
        {std::to_string(i), fmt::format("{:.3f}", static_cast<double>(c.mac_count) / 1e6),
         std::to_string(w), share(i, w), std::to_string(a), share(layers + i, a),
         fmt::format("{:.2f}", c.packed.factor), fmt::format("{:.0f}", c.packed.luts),
         fmt::format("{:.4f}", c.dsp_cycles / 1e6),
         fmt::format("{:.4f}", eights[i].dsp_cycles / 1e6),
         fmt::format("{:.1f}", c.weight_bits / 1e3), fmt::format("{:.1f}", c.row_bits / 1e3)});
  }
  const NetworkCost sum = Sum(costs), at_8 = Sum(eights);
  const HardwareBudget& budget = hardware.budget;
  const double bound = BoundCycles(sum, budget);
  return fmt::format(
      "{}DSP megacycles {:.4f}, {:.4f} at 8/8: {:.2f} times as fast\n"
      "{}: {:.0f} DSPs with {:.0f} LUTs for {:.0f}, {:.1f} of {:.0f} block RAMs: at least {:.0f} "
      "cycles per picture, bound by {}\n",
      ToText(table), sum.dsp_cycles / 1e6, at_8.dsp_cycles / 1e6, at_8.dsp_cycles / sum.dsp_cycles,
      board, budget.dsp, budget.lut, sum.lut_cycles / bound * budget.dsp, sum.bram36, budget.bram36,
      bound / budget.dsp, bound > sum.dsp_cycles ? "LUTs" : "DSPs");
}

nlohmann::ordered_json CostJson(const CnnDefinition& net, const ChosenWidths& chosen,
                                const HardwareModel& hardware, const std::string& board) {
  const std::vector<LayerCost> costs = CostsOf(net, chosen.widths, hardware.packing);
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (size_t i = 0; i < costs.size(); ++i) {
    layers.push_back({{"mac_count", costs[i].mac_count},
                      {"weight_bits", chosen.widths.weight_bits[i]},
                      {"activation_bits", chosen.widths.activation_bits[i]},
                      {"factor", costs[i].packed.factor},
                      {"luts_per_dsp", costs[i].packed.luts},
                      {"dsp_cycles", costs[i].dsp_cycles},
                      {"stored_weight_bits", costs[i].weight_bits},
                      {"stored_row_bits", costs[i].row_bits}});
    if (chosen.shares.empty()) continue;
    layers.back()["weight_shares"] = chosen.shares[i];
    layers.back()["activation_shares"] = chosen.shares[costs.size() + i];
  }
  const NetworkCost sum = Sum(costs);
  return {{"bitw", BitString(chosen.widths.weight_bits)},
          {"bita", BitString(chosen.widths.activation_bits)},
          {"dsp_cycles", sum.dsp_cycles},
          {"dsp_cycles_at_8", Sum(CostsOf(net, Eights(net), hardware.packing)).dsp_cycles},
          {"board", board},
          {"bram36", sum.bram36},
          {"bound_cycles", BoundCycles(sum, hardware.budget) / hardware.budget.dsp},
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

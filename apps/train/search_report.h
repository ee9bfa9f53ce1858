// What a search of widths needs and leaves behind: factors, a table of costs, a plot.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "target/board.h"
#include "target/packing.h"
#include "train/cnn/cnn_recipe.h"
#include "train/cnn/cnn_trainer.h"
#include "train/cnn/cost.h"

namespace lichen {

// From a CSV file with columns kernel, weight_bits, activation_bits, factor and, if LUTs count, luts. Error unless it has every pair of
// widths from 2 to 8 for every kernel of the network, each factor above 0.
Result<PackingFunction> ReadPacking(const std::filesystem::path& path, const CnnDefinition& net);

// What of a board a search may use for DSPs' lanes: all DSPs, kUsableLuts of the LUTs, the block RAM.
inline constexpr double kUsableLuts = 0.7;  // the rest moves data; an assumption
HardwareBudget BudgetOf(const Board& board);

// Packings of a DSP (target/packing.h) for the range of the quantiser's weights: of those with no, one and two bits of overlap the one
// with the fewest cycles where DSPs and LUTs are as scarce as in the budget.
PackingFunction BestPacking(QuantiserKind quantiser, DspDevice device,
                            const HardwareBudget& budget);

struct ChosenWidths {
  CnnPrecision widths;
  std::vector<std::vector<double>> shares;  // as of CnnTrainResult; empty: no search chose them
};

// Widths, factors, cycles and memory of each layer as text, and the same as JSON.
std::string CostTable(const CnnDefinition& net, const ChosenWidths& chosen,
                      const HardwareModel& hardware, const std::string& board);
nlohmann::ordered_json CostJson(const CnnDefinition& net, const ChosenWidths& chosen,
                                const HardwareModel& hardware, const std::string& board);

// Score and cost over the steps of a log, as SVG.
Result<std::string> SearchPlot(const std::filesystem::path& log, const std::string& title,
                               const std::string& score_name);

}  // namespace lichen

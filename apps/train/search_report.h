// What a search of widths needs and leaves behind: factors, a table of costs, a plot.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/result.h"
#include "train/cnn/cnn_recipe.h"
#include "train/cnn/cnn_trainer.h"
#include "train/cnn/cost.h"

namespace lichen {

// From a CSV file with columns kernel, weight_bits, activation_bits and factor. Error unless it has every pair of
// widths from 2 to 8 for every kernel of the network, each factor above 0.
Result<DspFactorFunction> ReadFactors(const std::filesystem::path& path, const CnnDefinition& net);

// Those of a DSP48E2 (target/packing.h), for the range of the quantiser's weights.
DspFactorFunction PackingFactors(QuantiserKind quantiser);

// Widths, factors and cycles of each layer as text, and the same as JSON.
std::string CostTable(const CnnDefinition& net, const CnnTrainResult& result,
                      const DspFactorFunction& factor);
nlohmann::ordered_json CostJson(const CnnDefinition& net, const CnnTrainResult& result,
                                const DspFactorFunction& factor);

// Score and cost over the steps of a log, as SVG.
Result<std::string> SearchPlot(const std::filesystem::path& log, const std::string& title,
                               const std::string& score_name);

}  // namespace lichen

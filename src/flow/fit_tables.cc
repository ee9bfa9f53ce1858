#include "flow/fit_tables.h"

#include <algorithm>
#include <utility>

#include "flow/picture_symbols.h"
#include "flow/quantise_codec.h"

namespace lichen {
namespace {

// Tables of more symbols get an escape.
constexpr int64_t kMaxSymbol = (kMaxTableSymbols - 2) / 2;

Result<std::vector<TableSet>> FitContextTables(const IntNet& net, const Calibration& calibration,
                                               const TableFitOptions& options,
                                               const Threads& threads) {
  const LatentCoding& coding = net.coding;
  LICHEN_TRY(const ContextSymbolMaker maker, ContextSymbolMaker::Create(net));
  std::vector<SymbolCounts> latents(static_cast<size_t>(coding.index_max) + 1);
  std::vector<SymbolCounts> hyper(static_cast<size_t>(maker.hyper_channels()));
  int64_t done = 0;
  for (const CalibrationPicture& picture : calibration.pictures) {
    if (options.progress) {
      options.progress(done++, static_cast<int64_t>(calibration.pictures.size()));
    }
    LICHEN_TRY(const ContextSymbols symbols,
               InPlace(picture.name, maker.Run(picture.image, threads)));
    CountPerChannel(symbols.hyper, hyper);
    if (options.gaussian) continue;
    for (size_t i = 0; i < symbols.latents.size(); ++i) {
      latents[symbols.numbers[i]].Add(symbols.latents[i]);
    }
  }
  const int64_t largest = std::max(-coding.symbol_range.min, coding.symbol_range.max);
  const GaussianOptions gaussian{
      .table_count = coding.index_max + 1,
      .max_symbol = static_cast<int32_t>(std::clamp<int64_t>(largest, 0, kMaxSymbol)),
      .prob_bits = options.prob_bits,
      .has_escape = largest > kMaxSymbol};
  TableSet latent_set = FitGaussianTables(latents, gaussian, options.prior_count);
  latent_set.name = "latent";
  TableSet hyper_set{.name = "hyper_latent", .prob_bits = options.prob_bits, .tables = {}};
  for (const SymbolCounts& channel : hyper) {
    hyper_set.tables.push_back(FitTable(channel, {.prob_bits = options.prob_bits}));
  }
  return std::vector<TableSet>{std::move(latent_set), std::move(hyper_set)};
}

}  // namespace

Result<std::vector<TableSet>> FitCodecTables(const IntNet& net, const Calibration& calibration,
                                             const TableFitOptions& options,
                                             const Threads& threads) {
  if (net.Find("context") || net.Find("hyper_synthesis")) {
    return FitContextTables(net, calibration, options, threads);
  }
  LICHEN_TRY(TableSet set,
             FitLatentTables(net, calibration, {.prob_bits = options.prob_bits}, threads));
  std::vector<TableSet> sets;
  sets.push_back(std::move(set));
  return sets;
}

}  // namespace lichen

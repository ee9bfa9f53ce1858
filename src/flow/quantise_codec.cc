#include "flow/quantise_codec.h"

#include <utility>

#include "engine/engine.h"
#include "flow/picture_symbols.h"
#include "net/check.h"

namespace lichen {

Result<TableSet> FitLatentTables(const IntNet& net, const Calibration& calibration,
                                 const FitOptions& options, const Threads& threads) {
  const IntGraph* graph = net.Find("analysis");
  if (!graph || graph->inputs.size() != 1 || graph->outputs.size() != 1) {
    return Fail("the model has no graph 'analysis' with one input and one output");
  }
  const TensorInfo& latents = graph->tensor(graph->outputs[0]);
  std::vector<SymbolCounts> counts(static_cast<size_t>(latents.channels));
  const CompiledGraph analysis(*graph);
  for (const CalibrationPicture& picture : calibration.pictures) {
    LICHEN_TRY(const std::vector<int16_t> symbols,
               InPlace(picture.name, PictureSymbols(net, analysis, picture.image, threads)));
    CountPerChannel(symbols, counts);
  }
  TableSet set{.name = "latent", .prob_bits = options.prob_bits, .tables = {}};
  for (const SymbolCounts& channel : counts) set.tables.push_back(FitTable(channel, options));
  return set;
}

Result<QuantResult> QuantiseCodec(const FloatNet& net, const Calibration& calibration,
                                  const QuantOptions& options, const FitOptions& fit,
                                  const Threads& threads, const OnStage& on_stage) {
  const auto stage = [&](std::string_view name) {
    if (on_stage) on_stage(name);
  };
  stage("quantising");
  LICHEN_TRY(QuantResult result, Quantise(net, calibration, options, threads));
  if (!net.Find("analysis") || !net.Find("synthesis")) return result;
  stage("fitting probability tables");
  LICHEN_TRY(TableSet tables, FitLatentTables(result.net, calibration, fit, threads));
  result.net.tables.push_back(std::move(tables));
  LICHEN_TRY_VOID(CheckIntNet(result.net));
  return result;
}

}  // namespace lichen

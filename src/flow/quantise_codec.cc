#include "flow/quantise_codec.h"

#include <utility>

#include "engine/engine.h"
#include "flow/model_input.h"
#include "net/check.h"

namespace lichen {
namespace {

// Adds the symbols of one picture to the counts of their channels.
Result<void> CountSymbols(const IntNet& net, const CompiledGraph& analysis, const Image& image,
                          std::vector<SymbolCounts>& counts, const Threads& threads) {
  LICHEN_TRY(Tensor<int32_t> input, PictureInput(net, image));
  const Size2 size{input.shape().h, input.shape().w};
  const Requant round{.post_shift = net.coding.latent_shift,
                      .min = net.coding.symbol_range.min,
                      .max = net.coding.symbol_range.max};
  GraphRows rows;
  rows.source = [&](size_t, int64_t y, std::span<int32_t> row) -> Result<void> {
    std::copy_n(input.view().Row(0, y), row.size(), row.begin());
    return {};
  };
  std::vector<int16_t> symbols;
  rows.sink = [&](size_t, int64_t, std::span<const int32_t> row) -> Result<void> {
    symbols.clear();
    for (const int32_t v : row) symbols.push_back(static_cast<int16_t>(Requantise(v, round)));
    CountPerChannel(symbols, counts);
    return {};
  };
  return RunGraph(analysis, {.input_sizes = {size}, .reference = size}, rows, threads);
}

}  // namespace

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
    LICHEN_TRY_VOID(InPlace(picture.name,
                            CountSymbols(net, analysis, picture.image, counts, threads)));
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

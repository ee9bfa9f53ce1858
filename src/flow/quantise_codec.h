// FloatNet -> IntNet that can code: quantisation, then probability tables for the latents.
//
// Contract: deterministic, whatever the thread count. A net without `analysis` and `synthesis` is quantised
// and gets no tables. The tables (set `latent`, one per channel, with an escape) are fitted to the symbols
// that the integer analysis makes of the calibration pictures.
#pragma once

#include <functional>
#include <string_view>

#include "base/result.h"
#include "base/threads.h"
#include "entropy/table_fit.h"
#include "quant/quantise.h"

namespace lichen {

// Called when a stage of longer work begins.
using OnStage = std::function<void(std::string_view stage)>;

Result<QuantResult> QuantiseCodec(const FloatNet& net, const Calibration& calibration,
                                  const QuantOptions& options, const FitOptions& fit,
                                  const Threads& threads, const OnStage& on_stage = {});

Result<TableSet> FitLatentTables(const IntNet& net, const Calibration& calibration,
                                 const FitOptions& options, const Threads& threads);

}  // namespace lichen

// Runs a float net over calibration pictures and gathers the statistics of its tensors.
//
// Contract: `synthesis` runs on the rounded latents and on the unrounded ones. Errors: a graph that
// is neither of a codec net nor `main`, an input that no picture fits. The threads change nothing.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "net/float_net.h"
#include "quant/calibration.h"
#include "quant/ranges.h"

namespace lichen {

// By graph of the net.
Result<std::vector<GraphStatistics>> CollectStatistics(const FloatNet& net,
                                                       const Calibration& calibration,
                                                       const Threads& threads);

// Error unless the net is one that the quantiser can feed: one input per graph, of 1 or 3 channels.
Result<void> CheckQuantisable(const FloatNet& net);

}  // namespace lichen

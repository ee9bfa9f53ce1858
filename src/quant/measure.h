// Compares an integer net with the float net that it was made from.
//
// Contract: each graph gets the same input in both: analysis (or main) the picture, synthesis the
// rounded latents of the integer analysis. `layers` are found by graph and output tensor name.
#pragma once

#include <vector>

#include "base/result.h"
#include "base/threads.h"
#include "net/float_net.h"
#include "net/int_net.h"
#include "quant/calibration.h"
#include "quant/report.h"

namespace lichen {

// Fills in error_max, error_rms, signal_rms, saturated_count and value_count of `layers`.
// `integer` must have passed CheckIntNet.
Result<void> MeasureErrors(const FloatNet& net, const IntNet& integer,
                           const std::vector<CalibrationPicture>& pictures, const Threads& threads,
                           std::vector<LayerReport>& layers);

// The 8 or 16 bit picture as raw values of a graph's input tensor.
Tensor<int32_t> IntPicture(const Tensor<float>& picture, const TensorInfo& input);

}  // namespace lichen

// The bls2017 network in float through libtorch: a peer to compare the engine's speed with.
#pragma once

#include "base/result.h"
#include "base/tensor.h"
#include "net/float_net.h"

namespace lichen {

// Whether libtorch was found when this was built, and can be loaded.
bool HaveTorchPeer();

// Seconds of analysis, rounding and synthesis of the picture (1, h, w, 3). The net may hold
// convolutions, transposed convolutions, GDN and IGDN.
Result<double> RunTorchPeer(const FloatNet& net, const Tensor<float>& picture, int threads);

}  // namespace lichen

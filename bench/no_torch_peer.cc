#include "bench/torch_peer.h"

namespace lichen {

bool HaveTorchPeer() { return false; }

Result<double> RunTorchPeer(const FloatNet&, const Tensor<float>&, int) {
  return Fail("this build has no libtorch");
}

}  // namespace lichen

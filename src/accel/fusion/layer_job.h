// Shapes and operand widths of a network's layer for the original fusion machine.
//
// Contract: the machine convolves each picture with each filter, unsigned, at stride 1. A layer's input channels become the
// pictures and its output channels the filters, so that the windows' products are as many as the layer's at stride 1; what the
// machine does not represent (signs, the sum over input channels, stride, other weights for each input channel, bias and
// requantiser) is told in `remarks`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "accel/fusion/window_job.h"
#include "base/result.h"
#include "net/int_net.h"

namespace lichen::fusion {

struct LayerJob {
  Shape3 input;
  Shape3 kernel;
  int64_t padding = 0;
  OperandPair pair;
  std::vector<std::string> remarks;
};

// The layer is named by its output, `picture` is the network's input. Error: there is no such layer, it is no convolution (or
// Linear), or its operands have more than 8 bits.
Result<LayerJob> JobOfLayer(const IntNet& net, std::string_view layer, Size2 picture);

}  // namespace lichen::fusion

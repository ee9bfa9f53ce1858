// Where tensors of a training run live.
#pragma once

#include <string>

#include "base/result.h"
#include "train/torch.h"

namespace lichen {

// cpu, cuda or cuda:N. Error: another name, or no such device here.
Result<torch::Device> DeviceOf(const std::string& name);

}  // namespace lichen

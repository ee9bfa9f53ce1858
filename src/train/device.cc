#include "train/device.h"

#include "train/catch_torch.h"

namespace lichen {

Result<torch::Device> DeviceOf(const std::string& name) {
  const auto device = CatchTorch([&]() -> Result<torch::Device> { return torch::Device(name); });
  if (!device || (device->type() != torch::kCPU && device->type() != torch::kCUDA)) {
    return FailUsage("--device {}: cpu, cuda and cuda:N are possible", name);
  }
  if (device->is_cuda() && !torch::cuda::is_available()) {
    return Fail("--device {}: this libtorch has no CUDA, or the machine has no such device", name);
  }
  return *device;
}

}  // namespace lichen

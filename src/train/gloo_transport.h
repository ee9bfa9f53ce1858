// How the processes of a group reach each other: libtorch's c10d with its Gloo, where the build
// found it.
//
// Contract: as process_group.h, but failures after Connect() are exceptions of libtorch.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/process_group.h"
#include "train/torch.h"

namespace lichen {

// Tensors lie on the CPU, contiguous.
class ProcessTransport {
 public:
  virtual ~ProcessTransport() = default;
  virtual void AllReduceSum(torch::Tensor tensor) = 0;
  virtual void Broadcast(torch::Tensor tensor) = 0;
  virtual std::vector<torch::Tensor> AllGather(torch::Tensor tensor) = 0;
};

// Error in a build without Gloo.
Result<std::unique_ptr<ProcessTransport>> ConnectGloo(const ProcessGroupOptions& options);

bool HasGloo();

// The first line of an error of libtorch, without the place in its sources.
std::string TorchReason(const std::exception& error);

}  // namespace lichen

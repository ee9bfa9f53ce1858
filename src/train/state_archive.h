// The parts that every checkpoint file has: step, recipe, weights, their averages, buffers, and the optimiser's state.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "train/adam.h"
#include "train/catch_torch.h"
#include "train/torch.h"

namespace lichen {

// The step of a checkpoint and the recipe that it was made with (a ToJson).
struct CheckpointInfo {
  int64_t step = 0;
  std::string recipe;
};

// What is read; `average` and the optimiser's lists stand in the order of the module's parameters.
struct ArchivedState {
  torch::nn::Module& module;
  Adam& optimiser;
  std::vector<torch::Tensor>& average;
};

// An archive whose bytes it keeps, since libtorch may read them late.
struct StateArchive {
  std::vector<uint8_t> bytes;
  torch::serialize::InputArchive archive;
  CheckpointInfo info;

  // `device` says where tensors go. Error: no checkpoint, or a damaged one.
  static Result<std::unique_ptr<StateArchive>> FromBytes(std::vector<uint8_t> bytes,
                                                         const torch::Device& device);
  static Result<std::unique_ptr<StateArchive>> Open(const std::filesystem::path& path,
                                                    const torch::Device& device);

  // Everything but the step. Error where a shape differs. May throw libtorch's errors.
  Result<void> ReadInto(const ArchivedState& state);
  // Buffers alone; those that the file lacks stay as they are. May throw libtorch's errors.
  void ReadBuffers(torch::nn::Module& module);
};

Result<std::string> ToArchive(const CheckpointInfo& info, const torch::nn::Module& module,
                              const Adam& optimiser, const std::vector<torch::Tensor>& average);

}  // namespace lichen

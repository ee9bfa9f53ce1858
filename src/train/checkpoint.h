// The state of a training run, and the file that holds it.
//
// Contract: a checkpoint appears whole or not at all; when it cannot be written, the one before
// stays. A loaded state goes on exactly as the saved one would have. Errors name the file.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/adam.h"
#include "train/codec_module.h"
#include "train/recipe.h"
#include "train/state_archive.h"
#include "train/torch.h"

namespace lichen {

struct TrainState {
  int64_t step = 0;  // finished steps
  std::shared_ptr<CodecModule> module;
  std::optional<Adam> optimiser;
  std::vector<torch::Tensor> average;  // of module->parameters(), in their order
};

// A network at the beginning of the recipe's run, from its seed (and from start_from, if given).
Result<TrainState> NewState(const Recipe& recipe, const torch::Device& device);

// The bytes of a checkpoint's file, and what LoadCheckpoint() makes of them.
Result<std::string> ToCheckpoint(const Recipe& recipe, const TrainState& state);
Result<TrainState> FromCheckpoint(std::string_view bytes, const Recipe& recipe,
                                  const torch::Device& device);

Result<void> SaveCheckpoint(const std::filesystem::path& path, const Recipe& recipe,
                            const TrainState& state);

Result<CheckpointInfo> ReadCheckpointInfo(const std::filesystem::path& path);

// Error if the checkpoint belongs to another network or run.
Result<TrainState> LoadCheckpoint(const std::filesystem::path& path, const Recipe& recipe,
                                  const torch::Device& device);

// Exchanges the weights with their averages, for as long as it lives.
class UseAverage {
 public:
  explicit UseAverage(TrainState& state);
  ~UseAverage();
  UseAverage(const UseAverage&) = delete;
  UseAverage& operator=(const UseAverage&) = delete;

 private:
  void Swap();
  TrainState& state_;
};

}  // namespace lichen

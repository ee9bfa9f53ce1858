// A recipe of `lichen train` for a classification or detection network. Knows nothing of libtorch.
//
// Contract: as train/recipe.h.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"
#include "train/cnn/definition.h"
#include "train/cnn/precision.h"
#include "train/recipe.h"

namespace lichen {

// [data]
struct CnnDataRecipe {
  // Of classification as of ReadLabelledPictures(); of detection as of ReadLabelledBoxes(), or of photographs.
  std::filesystem::path folder;
  std::filesystem::path boxes;  // detection: CSV that gives made-up objects their sizes, or empty
  int64_t training_scenes = 10000;  // made-up ones, per epoch
  int64_t test_scenes = 500;
  int64_t max_shift_px = 0;  // pictures are moved by up to this, each way; 0 comes in
  bool flip = false;         // half of them are mirrored
};

// [search]
struct SearchRecipe {
  double strength = 1e-3;              // loss = task + strength * cost (train/cnn/cost.h)
  std::string board = "ultra96-v2";    // whose DSPs, LUTs and block RAM there are: a name or a file
  double choice_learning_rate = 0.02;  // of the shares' logits, where the weights' is learning_rate
};

struct CnnRecipe {
  std::string model;  // as of FindCnn()
  std::filesystem::path output;
  double width_factor = 1;  // of the inner channels
  CnnPrecision precision;
  CnnDataRecipe data;
  TrainingRecipe training;  // without lambdas; weights are not averaged
  SearchRecipe search;
  bool is_search = false;   // of widths, by a supernet; `precision` gives the quantiser alone then
  bool bfloat16 = false;    // convolutions in training compute in it
  double weight_decay = 0;  // of convolutions' weights, per step and unit of learning rate
};

// From the command line, in place of the recipe's; paths relative to the working folder.
struct CnnOverrides {
  std::filesystem::path data_folder;
  std::filesystem::path output;
  std::optional<int64_t> seed;  // at least 0
  std::string weight_bits;
  std::string activation_bits;
  // Its folder is `search` in the output, so that the same recipe can train after it.
  bool is_search = false;
  // Whether the checkpoint to start from, and the folder of the data, must be there.
  bool needs_start = true;
  bool needs_data = true;
};

Result<CnnRecipe> ReadCnnRecipe(const std::filesystem::path& path, const CnnOverrides& overrides);

// One JSON object with every value, on one line.
std::string ToJson(const CnnRecipe& recipe);

// Error if a run of `recorded` (a ToJson) cannot go on as `recipe`.
Result<void> CheckSameRun(const std::string& recorded, const CnnRecipe& recipe);

}  // namespace lichen

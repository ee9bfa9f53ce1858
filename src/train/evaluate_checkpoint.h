// Rate and distortion of a training run's network on whole pictures, as the training computes them:
// in float where its stage is not quantised, with latents rounded as a decoder sees them.
//
// Contract: rates are ideal code lengths under the trained distributions, without any file's
// overhead, so that `lichen eval` on the exported model tells what quantising and coding cost.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/recipe.h"

namespace lichen {

struct RateFigures {
  double lambda = 0;
  double bpp = 0;      // these: means over the pictures
  double psnr_db = 0;  // of pictures with samples rounded to 0..255
};

struct EvaluateCheckpointOptions {
  std::string device = "cpu";
  int threads = 0;                                               // 0: all
  std::function<void(int64_t done, int64_t total)> on_progress;  // pictures times rates
  std::function<void(const std::string&)> on_note;               // files that are no pictures
};

// With the averaged weights of the checkpoint in the recipe's output folder.
Result<std::vector<RateFigures>> EvaluateCheckpoint(const Recipe& recipe,
                                                    const std::filesystem::path& folder,
                                                    const EvaluateCheckpointOptions& options);

}  // namespace lichen

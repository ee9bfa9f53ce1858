// Trains the network of a recipe. This header knows nothing of libtorch.
//
// Contract: in the output folder lie `checkpoint.pt`, `log.jsonl` and the network so far, with
// averaged weights, as a float model for `lichen quantize`: `model.lichen`, or one
// `model_<lambda>.lichen` for each of several lambdas. Each file is whole at any time. A resumed
// run gives the losses that an uninterrupted one would have given.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/picture_set.h"
#include "train/process_group.h"
#include "train/recipe.h"

namespace lichen {

struct TrainProgress {
  int64_t step = 0;  // finished
  int64_t steps = 0;
  double loss = 0;  // this and the following: means of the last steps
  double bpp = 0;
  double mse = 0;  // of samples 0..255
  double psnr_db = 0;
  double pictures_per_second = 0;
  double seconds_left = 0;
};

struct TrainOptions {
  bool is_resumed = false;     // from the checkpoint in the output folder, which must be there
  bool is_restarted = false;   // replace a checkpoint in the output folder
  std::string device = "cpu";  // cpu, cuda or cuda:N
  int threads = 0;             // 0: all
  std::function<void(const TrainProgress&)> on_progress;  // after every step
  std::function<void(const std::string&)> on_note;        // skipped pictures and the like
  const std::atomic<bool>* stop = nullptr;                // when true, save and end
  ProcessGroup* group = nullptr;                          // that trains together, or none
};

struct TrainResult {
  TrainProgress last;
  int64_t first_step = 0;  // finished before this call
  int64_t picture_count = 0;
  std::vector<SkippedPicture> skipped;
  std::filesystem::path checkpoint;  // this and the following: of process 0 alone
  std::vector<std::filesystem::path> models;
  bool is_stopped = false;  // by `stop`, before the last step
};

// The processes of a group each call this with the same recipe, whose batch they share: process 0
// alone reads and writes the output folder, and each step is that of one process with the whole
// batch, but for the order of sums. All of them end at the same step, by `stop` on any, or by an
// error on any.
// A loss or gradient that is not finite ends the run with an error that names the last checkpoint.
Result<TrainResult> Train(const Recipe& recipe, const TrainOptions& options);

}  // namespace lichen

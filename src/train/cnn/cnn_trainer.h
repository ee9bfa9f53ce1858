// Trains a classification or detection network. This header knows nothing of libtorch.
//
// Contract: in the output folder lie `checkpoint.pt`, `log.jsonl` and the network so far, `model.lichen`: an
// integer network with fixed widths, a float one in float. Each file is whole at any time. A resumed run gives the
// losses that an uninterrupted one would have given. The last line but one of the log tells the score over the test pictures, as the
// exported network computes it.
// A search leaves checkpoint and log, no network: its lines tell the cost and the widths of the largest shares too.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "train/cnn/cnn_recipe.h"
#include "train/cnn/cost.h"

namespace lichen {

struct CnnProgress {
  int64_t step = 0;  // finished
  int64_t steps = 0;
  double loss = 0;   // this and the following: means of the last steps
  double score = 0;  // accuracy, or intersection over union
  double cost = 0;   // search: the latest
  double pictures_per_second = 0;
  double seconds_left = 0;
};

struct CnnTrainOptions {
  bool is_resumed = false;     // from the checkpoint in the output folder, which must be there
  bool is_restarted = false;   // replace a checkpoint in the output folder
  std::string device = "cpu";  // cpu, cuda or cuda:N
  int threads = 0;             // 0: all
  std::function<void(const CnnProgress&)> on_progress;  // after every step
  const std::atomic<bool>* stop = nullptr;              // when true, save and end
  HardwareModel hardware;                               // a search needs it
};

struct CnnTrainResult {
  CnnProgress last;
  int64_t first_step = 0;  // finished before this call
  std::string score_name;  // accuracy or iou
  std::string source;      // what the pictures are
  int64_t picture_count = 0;
  double test_score = 0;  // of the exported network, over all test pictures
  int64_t test_count = 0;
  std::filesystem::path checkpoint;
  std::filesystem::path model;  // empty after a search
  CnnPrecision choice;          // search: the widths of the largest shares
  // Search: of each layer's weights, then of what each reads; from kMinBits.
  std::vector<std::vector<double>> shares;
  bool is_stopped = false;  // by `stop`, before the last step; there is no test score then
};

Result<CnnTrainResult> TrainCnn(const CnnRecipe& recipe, const CnnTrainOptions& options);

}  // namespace lichen

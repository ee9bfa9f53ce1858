// What a network is trained for: batches, the loss, and how well it does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/threads.h"
#include "train/cnn/cnn_recipe.h"
#include "train/torch.h"

namespace lichen {

struct CnnBatch {
  torch::Tensor samples;  // (n, c, h, w), float, 0 to 255
  torch::Tensor targets;  // classes (n), int64; or boxes (n, 4) in pixels: xmin, xmax, ymin, ymax
};

class CnnTask {
 public:
  virtual ~CnnTask() = default;

  virtual std::string_view score_name() const = 0;  // what Scores() gives: accuracy or iou
  virtual const std::string& source() const = 0;    // what the pictures are
  virtual int64_t training_count() const = 0;
  virtual int64_t test_count() const = 0;

  // The batch of a step: the same whenever it is asked for.
  virtual Result<CnnBatch> TrainingBatch(int64_t step) const = 0;
  // `count` test pictures from number `first`.
  virtual Result<CnnBatch> TestBatch(int64_t first, int64_t count) const = 0;

  // Mean over the batch; `outputs` as of Cnn::Forward().
  virtual torch::Tensor Loss(const torch::Tensor& outputs, const torch::Tensor& targets) const = 0;
  // (n), 0 to 1, of each picture.
  virtual torch::Tensor Scores(const torch::Tensor& outputs,
                               const torch::Tensor& targets) const = 0;
};

Result<std::unique_ptr<CnnTask>> OpenClassification(const CnnRecipe& recipe,
                                                    const CnnDefinition& net);
// Scenes that are made up (train/cnn/scenes.h) where the recipe names `boxes`, else labelled pictures.
Result<std::unique_ptr<CnnTask>> OpenDetection(const CnnRecipe& recipe, const CnnDefinition& net,
                                               const Threads& threads);

}  // namespace lichen

// What the trainer knows of a codec network.
#pragma once

#include "base/result.h"
#include "net/model.h"
#include "train/batch_part.h"
#include "train/recipe.h"
#include "train/torch.h"

namespace lichen {

// Stands for the rounding of latents: noise has a gradient, rounding is what the codec does.
enum class LatentMode { kNoise, kRound };

struct CodecOutput {
  torch::Tensor picture;  // (n, 3, h, w), 0 to 1, not clamped
  torch::Tensor bits;     // (n): of the latents, by the trained distribution
};

class CodecModule : public torch::nn::Module {
 public:
  // `pictures` are (n, 3, h, w), 0 to 1, sides multiples of 16 (of 64 for streamlic); `rates` (n),
  // int64, tells which lambda each is coded for. The noise comes from `generator`, on the CPU
  // whatever the device.
  virtual CodecOutput Forward(const torch::Tensor& pictures, const torch::Tensor& rates,
                              LatentMode mode, const at::Generator& generator) = 0;

  // The network of one rate as it is exported. `pictures` show the ranges of activations where
  // training has not kept them.
  virtual Result<Model> ToModel(int64_t rate, const torch::Tensor& pictures) = 0;

  // What the loss takes on beside rate and distortion, or an undefined tensor.
  virtual torch::Tensor Penalty() { return {}; }

  // Told before each step how many have been finished.
  virtual void StartStep(int64_t) {}

  // Told before the first step of a stage, and once the share `masks_after` of its steps is done.
  virtual Result<void> StartStage(const StageSwitches&) { return {}; }
  virtual Result<void> MakeMasks() { return {}; }

  // Which part of its batch Forward() gets from now on; the whole batch, unless told otherwise.
  void SetPart(const BatchPart& part) { part_ = part; }
  BatchPart& part() { return part_; }

 private:
  BatchPart part_;
};

}  // namespace lichen

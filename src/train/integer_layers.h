// StreamLIC's integer arithmetic on float tensors, with gradients that pass through roundings.
//
// Contract: values are integers held as floats; in float64 results equal the integer kernels' (docs/
// numerics.md). Parameters become integers here and nowhere else, so that training and export agree.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/torch.h"

namespace lichen {

inline constexpr int64_t kMaxActivation = 2047;  // of 12 bits, symmetric
inline constexpr int kLatentShift = 4;           // latents have 4 bits behind the point
inline constexpr double kLatentScale = 1.0 / (1 << kLatentShift);
inline constexpr int64_t kMaxSymbol = 127;

// Integers of an exported file by name: param/g_a.0/weight.
struct IntegerTensors {
  std::map<std::string, torch::Tensor> integers;
  std::map<std::string, double> scales;  // float_output_scale and final_scale
};

// `integer`, with the gradient of `real`.
torch::Tensor StraightThrough(const torch::Tensor& real, const torch::Tensor& integer);

// Values between the bounds; the gradient passes where it pulls a value back between them.
torch::Tensor Clamped(const torch::Tensor& x, double low, double high);

// multiplier * 2^-shift, close to each factor: |multiplier| below 2^16, shift 0 to 40.
struct ScaleSteps {
  torch::Tensor multiplier;
  torch::Tensor shift;
  torch::Tensor Value() const { return multiplier * torch::exp2(-shift); }
};
ScaleSteps StepsOf(const torch::Tensor& factor);

// acc -> clamp(((acc * multiplier >> shift) + bias + 8) >> 4, +-2047), per channel of a shaped acc.
// `gain` is what the integers of acc stand for relative to the output's, `bias` in output units:
// both (channels), float.
struct Requantiser {
  ScaleSteps steps;
  torch::Tensor bias;  // integer, 16 per unit; with the gradient of what it was made of
  static Requantiser Make(const torch::Tensor& gain, const torch::Tensor& bias);
  torch::Tensor operator()(const torch::Tensor& acc) const;
};

// Weights (out, in, h, w) as integers of 12 bits and the scale of each output channel.
struct IntegerWeights {
  torch::Tensor values;
  torch::Tensor scale;  // (out), no gradient
  static IntegerWeights Make(const torch::Tensor& weight);
};

// round(tanh(u / 256) * 1024) of integers u within +-2047.
torch::Tensor TanhOfTable(const torch::Tensor& u);

// x < 0: (x + 32) >> 6.
torch::Tensor IntegerLeaky(const torch::Tensor& x);

}  // namespace lichen

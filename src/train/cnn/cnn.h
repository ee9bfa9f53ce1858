// A classification or detection network that is trained: in float, or with fixed widths per layer.
//
// Contract: in training, Forward() computes with the integers of quantised weights and activations, held as float or bfloat16, and
// batch norm over the batch. bfloat16 holds integers of 8 bits exactly; sums are rounded to its 8 bits before the batch norm. Integers() computes what the exported network computes, to the bit: batch norms
// become integer multipliers and biases, from running statistics.
//
// Folding: inc = round(bn_scale * wstep * astep / ostep * 2^shift), bias = round(bn_shift / ostep * 2^shift),
// shift = requant_shift + wbit + abit - 1; q = clamp((acc * inc + bias + 2^(shift-1)) >> shift, 0, 2^obit - 1).
// Of the last layer: acc + round(bias / (wstep * astep)).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/model.h"
#include "train/cnn/definition.h"
#include "train/cnn/precision.h"
#include "train/cnn/quantisers.h"
#include "train/torch.h"

namespace lichen {

// A layer of the integer network.
struct IntegerLayer {
  torch::Tensor weights;     // (out, in / groups, ky, kx), float64
  torch::Tensor multiplier;  // (out), int64; undefined in the last layer
  torch::Tensor bias;        // (out), int64
  int shift = 0;
  int weight_bits = 0;
  int input_bits = 0;
  int output_bits = 0;    // 0: the last layer
  double input_step = 1;  // what 1 stands for
  double output_step = 1;
};

struct NamedActivation {
  std::string name;  // of the exported network's tensor
  torch::Tensor values;
};

class Cnn : public torch::nn::Module {
 public:
  // Weights are drawn from libtorch's generator.
  Cnn(CnnDefinition definition, CnnPrecision precision);

  // (n, channels, height, width), samples 0 to 255 -> (n, out, h, w), real values.
  virtual torch::Tensor Forward(const torch::Tensor& samples);

  // The same through integers: every activation of the exported network, in its order, int64. Not for float networks.
  std::vector<NamedActivation> Integers(const torch::Tensor& samples) const;

  // Real outputs as the exported network gives them: through integers, or in float.
  torch::Tensor Evaluate(const torch::Tensor& samples);

  // Of convolutions in training, but the last layer's: float32 or bfloat16.
  void set_compute_type(torch::ScalarType type) { compute_type_ = type; }

  // The exported network, graph `main`: an IntNet, or a FloatNet of a float network.
  Model ToModel() const;

  const CnnDefinition& definition() const { return definition_; }
  const CnnPrecision& precision() const { return precision_; }

 protected:
  struct Layer {
    torch::Tensor weight;  // (out, in / groups, ky, kx)
    torch::Tensor
        scale;  // (out): of the batch norm; undefined in the last layer, as are the following
    torch::Tensor mean;
    torch::Tensor variance;
    torch::Tensor shift;  // of the batch norm, or the last layer's bias
  };

  // values * unit is what is meant.
  struct Scaled {
    torch::Tensor values;
    double unit = 1;
  };

  // What the convolution of layer i reads and multiplies with; Forward() is made of these.
  virtual Scaled PictureOf(const torch::Tensor& samples);
  virtual ActivationMixture MixtureOf(size_t i);
  virtual Scaled WeightOf(size_t i);

  torch::Tensor Convolved(size_t i, const torch::Tensor& x, const torch::Tensor& weight) const;
  const std::vector<Layer>& layers() const { return layers_; }

 private:
  // The batch norm of layer i over sums that stand for sum * unit, and the activation of the next.
  Scaled NormOf(size_t i, const torch::Tensor& sum, double unit, bool pools);
  // A bypass, quantised anew as the layer that it joins reads it.
  torch::Tensor Joined(size_t i, const Scaled& from, torch::ScalarType type);
  // bn_scale and bn_shift of running statistics, float64.
  std::pair<torch::Tensor, torch::Tensor> FoldedNorm(size_t i) const;
  IntegerLayer ToIntegers(size_t i) const;
  IntNet ToIntNet() const;
  FloatNet ToFloatNet() const;
  std::map<std::string, std::string> Metadata() const;

  CnnDefinition definition_;
  std::vector<CnnLayerShape> shapes_;
  CnnPrecision precision_;
  torch::ScalarType compute_type_ = torch::kFloat32;
  std::vector<Layer> layers_;
};

// Channel (dy * 2 + dx) * C + c of an output pixel is channel c of pixel (2y + dy, 2x + dx).
torch::Tensor SpaceToDepth2(const torch::Tensor& x);

// The multiplier, over 2^kBypassShift, that turns a bypass's integers into those of the layer that it joins.
inline constexpr int kBypassShift = 16;
int64_t BypassMultiplier(QuantiserKind kind, int from_bits, int to_bits);

}  // namespace lichen

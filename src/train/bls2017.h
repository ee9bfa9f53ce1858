// The transforms of Balle, Laparra and Simoncelli 2017 with a factorised prior.
//
// Analysis: convolutions k9 s4, k5 s2, k5 s2 with GDN between; synthesis: the mirror image. With
// several rates, one pair of transforms serves them all: each rate scales the latents by a trained
// gain per channel before the quantiser, and back by another. Exported, the gains are folded into
// the weights.
#pragma once

#include <memory>
#include <vector>

#include "train/codec_module.h"
#include "train/factorised_prior.h"
#include "train/layers.h"
#include "train/recipe.h"

namespace lichen {

class Bls2017 : public CodecModule {
 public:
  // Parameters are drawn from libtorch's default generator.
  Bls2017(const NetworkRecipe& recipe, const std::vector<double>& lambdas);

  CodecOutput Forward(const torch::Tensor& pictures, const torch::Tensor& rates, LatentMode mode,
                      const at::Generator& generator) override;
  Result<Model> ToModel(int64_t rate, const torch::Tensor& pictures) override;
  FloatNet ToFloatNet(int64_t rate);

  // Latents before the quantiser.
  torch::Tensor Analyse(const torch::Tensor& pictures, const torch::Tensor& rates);
  torch::Tensor Synthesise(const torch::Tensor& latents, const torch::Tensor& rates);
  FactorisedPrior prior() const { return prior_; }

 private:
  struct Layer {
    Kernel kernel{nullptr};
    torch::Tensor bias;  // or undefined
    Gdn norm{nullptr};   // or empty
    int64_t stride = 1;
  };
  torch::Tensor Gain(const torch::Tensor& log_gain, const torch::Tensor& rates) const;
  FloatGraph AnalysisGraph(int64_t rate);
  FloatGraph SynthesisGraph(int64_t rate);

  std::vector<double> lambdas_;
  std::vector<Layer> analysis_;
  std::vector<Layer> synthesis_;
  torch::Tensor log_gain_;          // (rates, latent channels), or undefined with one rate
  torch::Tensor log_inverse_gain_;  // the same
  FactorisedPrior prior_{nullptr};
};

}  // namespace lichen

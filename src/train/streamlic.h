// StreamLIC: a mean and scale hyperprior with a row-autoregressive context, as a float network or
// fake-quantised: then each value is the integer that the exported network computes.
//
// Analysis: four convolutions k4 s2 with Lagc between; synthesis: the mirror image. The
// distribution of a latent is a Gaussian whose mean and scale come from the hyper-latents and from
// the three rows of latents above. One network serves all rates: each rate scales latents and
// hyper-latents by trained gains per channel before the quantiser, and back wherever they are read.
// Quantised or exported, the gains are folded into the weights. Arithmetic: docs/numerics.md.
//
// READ ME FIRST: "shaped" stands for tensors (n, c, h, w). Latents are in units of the quantiser's
// step. In float64 a fake-quantised network equals the integers exactly; in float32 sums of many
// products may be off by a rounding of 2^-24.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "train/codec_module.h"
#include "train/factorised_prior.h"
#include "train/integer_layers.h"
#include "train/recipe.h"

namespace lichen {

// A convolution k4 s2 p1 or its adjoint, or one of the context's, with a bias.
class StreamLicConvImpl : public torch::nn::Module {
 public:
  enum class Kind { kDown, kUp, kPlain };
  // Kernels of size kernel_h x kernel_w: (out, in, ...), with kUp (in, out, ...).
  StreamLicConvImpl(std::string name, Kind kind, int64_t in, int64_t out, int64_t kernel_h,
                    int64_t kernel_w);
  // Computes in the type of x.
  torch::Tensor forward(const torch::Tensor& x);

  // Blocks of 12x12 channels, all on or all off; empty until masks are made.
  void SetMask(const torch::Tensor& mask);  // shaped as the weights
  bool is_masked() const { return mask.numel() > 0; }
  torch::Tensor MaskedWeight() const { return is_masked() ? weight * mask : weight; }

  std::string layer;  // as in an exported file: g_a.0
  Kind kind;
  int64_t in;
  int64_t out;
  torch::Tensor weight;
  torch::Tensor bias;  // (out)
  torch::Tensor mask;
  torch::Tensor energy;  // (in): running mean square of the input; of layers to be masked
};
TORCH_MODULE(StreamLicConv);

// x * (1 + gain * tanh(A x + b) + gain_bias).
class LagcImpl : public torch::nn::Module {
 public:
  LagcImpl(std::string name, int64_t channels);
  torch::Tensor forward(const torch::Tensor& x);

  std::string layer;
  torch::Tensor weight;  // A: (c, c)
  torch::Tensor bias;    // this and the following: (c)
  torch::Tensor gain;
  torch::Tensor gain_bias;
};
TORCH_MODULE(Lagc);

class StreamLic : public CodecModule {
 public:
  // Random parameters are drawn from libtorch's default generator. Analysis and synthesis begin as
  // an orthonormal cosine transform of 16x16 blocks and its inverse, with a little noise.
  StreamLic(const NetworkRecipe& recipe, const std::vector<double>& lambdas,
            const StageSwitches& switches);

  // Fake-quantised, all pictures must have one rate.
  CodecOutput Forward(const torch::Tensor& pictures, const torch::Tensor& rates, LatentMode mode,
                      const at::Generator& generator) override;
  Result<Model> ToModel(int64_t rate, const torch::Tensor& pictures) override;
  torch::Tensor Penalty() override;
  void StartStep(int64_t step) override { step_ = step; }
  Result<void> StartStage(const StageSwitches& switches) override;
  Result<void> MakeMasks() override;

  // From here on fake-quantised, or no more.
  void SetQuantised(bool is_quantised) { is_quantised_ = is_quantised; }

  // Of shaped latents.
  struct Parameters {
    torch::Tensor mean;
    torch::Tensor index;  // 0 to 127; a scale of 2^((3 * index - 111) / 32)
  };
  // Latents before the quantiser.
  torch::Tensor Analyse(const torch::Tensor& pictures, const torch::Tensor& rates);
  torch::Tensor HyperAnalyse(const torch::Tensor& y, const torch::Tensor& rates);
  torch::Tensor HyperSynthesise(const torch::Tensor& z_hat, const torch::Tensor& rates);
  // Row h sees rows h to h + 2 of `rows_above`, which are those three above it.
  Parameters Predict(const torch::Tensor& rows_above, const torch::Tensor& global,
                     const torch::Tensor& rates);
  static torch::Tensor RowsAbove(const torch::Tensor& y_hat);
  torch::Tensor Synthesise(const torch::Tensor& y_hat, const torch::Tensor& rates);

  // Integer tensors of the exported file, by their names; `activations` get each layer's output.
  IntegerTensors Record(int64_t rate, const torch::Tensor& pictures,
                        std::map<std::string, torch::Tensor>* activations = nullptr);

 private:
  // A value on its way through the layers: real, or integers that stand for integer * scale.
  struct Signal {
    torch::Tensor value;
    double scale = 0;
  };
  // Per picture and channel: (n, c), or undefined for 1 and 0.
  struct Folded {
    torch::Tensor input_gain;
    torch::Tensor output_gain;
    torch::Tensor output_bias;
  };
  Signal Latents(const torch::Tensor& y) const;
  Signal Convolve(StreamLicConv& conv, const Signal& x, const Folded& folded,
                  const torch::Tensor& output_scale, const char* range_name,
                  const torch::Tensor& rates);
  Signal Gate(Lagc& gate, const Signal& x, const torch::Tensor& rates);
  Signal Leaky(const Signal& x) const;
  double ScaleOf(const std::string& range_name, const torch::Tensor& real,
                 const torch::Tensor& rates);
  void Note(const std::string& layer, const torch::Tensor& value);

  torch::Tensor Compute(const torch::Tensor& x) const;  // in the type that layers compute in
  torch::Tensor Gain(const char* name, const torch::Tensor& rates) const;  // (n, c)
  void AddGain(const char* name, int64_t channels, double exponent, double offset);
  void AddRange(const std::string& name);
  void StartAsCosines();
  torch::Tensor LatentBits(const torch::Tensor& y_hat, const Parameters& p,
                           const torch::Tensor& rates);
  torch::Tensor HyperBits(const torch::Tensor& z_hat, const torch::Tensor& rates);
  std::vector<StreamLicConv*> MaskedLayers();
  Result<std::vector<TableSet>> Tables(int64_t rate);

  std::vector<double> lambdas_;
  NetworkRecipe recipe_;
  StageSwitches switches_;
  int64_t step_ = INT64_MAX;  // of the stage
  bool is_quantised_ = false;
  bool is_watching_ = true;  // ranges follow the activations
  IntegerTensors* recorded_ = nullptr;
  std::map<std::string, torch::Tensor>* activations_ = nullptr;
  std::vector<StreamLicConv> analysis_, synthesis_, hyper_analysis_, hyper_synthesis_;
  std::vector<Lagc> analysis_gates_, synthesis_gates_, hyper_gates_;
  StreamLicConv context_first_{nullptr}, context_last_{nullptr}, parameters_{nullptr};
  FactorisedPrior prior_{nullptr};
};

// Bits of values under Gaussians, each integrated over a bin of width 1 and at least 2^-16. A share
// of the probability lies under a Gaussian of 2.5 times the scale.
torch::Tensor GaussianBits(const torch::Tensor& values, const torch::Tensor& mean,
                           const torch::Tensor& index, double wide_share = 0);

}  // namespace lichen

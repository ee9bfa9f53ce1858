#include "train/bls2017.h"

#include <algorithm>
#include <cmath>

#include "train/operators.h"

namespace lichen {

Bls2017::Bls2017(const NetworkRecipe& recipe, const std::vector<double>& lambdas)
    : lambdas_(lambdas) {
  const int64_t width = recipe.width;
  const int64_t latents = recipe.latent_channels;
  const auto make = [&](const char* name, bool is_synthesis, int64_t size, int64_t stride,
                        int64_t in, int64_t out, bool has_bias, bool has_norm) {
    const std::string prefix = is_synthesis ? "synthesis_" : "analysis_";
    Layer layer;
    const int64_t taps = size * size;
    const int64_t fan_in = is_synthesis ? in * taps / (stride * stride) : in * taps;
    layer.kernel =
        register_module(prefix + name + "_kernel",
                        is_synthesis ? Kernel(in, out, size, fan_in, recipe.rdft_kernels)
                                     : Kernel(out, in, size, fan_in, recipe.rdft_kernels));
    if (has_bias) layer.bias = register_parameter(prefix + name + "_bias", torch::zeros({out}));
    if (has_norm) layer.norm = register_module(prefix + name + "_gdn", Gdn(out, is_synthesis));
    layer.stride = stride;
    return layer;
  };
  analysis_ = {make("0", false, 9, 4, 3, width, true, true),
               make("1", false, 5, 2, width, width, true, true),
               make("2", false, 5, 2, width, latents, recipe.latent_bias, false)};
  synthesis_ = {make("0", true, 5, 2, latents, width, true, true),
                make("1", true, 5, 2, width, width, true, true),
                make("2", true, 9, 4, width, 3, true, false)};
  const auto rates = static_cast<int64_t>(lambdas.size());
  if (rates > 1) {
    // The step of a good uniform quantiser goes with 1 / sqrt(lambda).
    const double most = *std::max_element(lambdas.begin(), lambdas.end());
    torch::Tensor first = torch::empty({rates, latents});
    for (int64_t r = 0; r < rates; ++r) {
      first[r].fill_(0.5 * std::log(lambdas[static_cast<size_t>(r)] / most));
    }
    log_gain_ = register_parameter("log_gain", first);
    log_inverse_gain_ = register_parameter("log_inverse_gain", first.detach().neg());
  }
  prior_ = register_module("prior", FactorisedPrior(rates, latents));
}

torch::Tensor Bls2017::Gain(const torch::Tensor& log_gain, const torch::Tensor& rates) const {
  return log_gain.index_select(0, rates).exp().unsqueeze(2).unsqueeze(3);
}

torch::Tensor Bls2017::Analyse(const torch::Tensor& pictures, const torch::Tensor& rates) {
  torch::Tensor x = pictures.contiguous(torch::MemoryFormat::ChannelsLast);
  for (Layer& layer : analysis_) {
    const torch::Tensor kernel = layer.kernel->forward();
    x = torch::conv2d(x, kernel, layer.bias, layer.stride, kernel.size(2) / 2);
    if (layer.norm) x = layer.norm->forward(x);
  }
  return log_gain_.defined() ? x * Gain(log_gain_, rates) : x;
}

torch::Tensor Bls2017::Synthesise(const torch::Tensor& latents, const torch::Tensor& rates) {
  torch::Tensor x = latents;
  if (log_inverse_gain_.defined()) x = x * Gain(log_inverse_gain_, rates);
  x = x.contiguous(torch::MemoryFormat::ChannelsLast);
  for (Layer& layer : synthesis_) {
    x = TransposedConv(x, layer.kernel->forward(), layer.stride) + layer.bias.view({1, -1, 1, 1});
    if (layer.norm) x = layer.norm->forward(x);
  }
  return x;
}

CodecOutput Bls2017::Forward(const torch::Tensor& pictures, const torch::Tensor& rates,
                             LatentMode mode, const at::Generator& generator) {
  const torch::Tensor y = Analyse(pictures, rates);
  torch::Tensor latents;
  if (mode == LatentMode::kNoise) {
    const torch::Tensor noise = part().Uniform(y.sizes(), generator) - 0.5;
    latents = y + noise.to(y.options());
  } else {
    latents = torch::floor(y + 0.5);
  }
  const torch::Tensor bits = prior_->Bits(latents, rates).flatten(1).sum(1);
  return {Synthesise(latents, rates), bits};
}

}  // namespace lichen

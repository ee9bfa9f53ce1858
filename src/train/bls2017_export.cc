// A trained Bls2017 as a FloatNet.
#include "net/graph_builder.h"
#include "train/bls2017.h"

namespace lichen {
namespace {

std::vector<float> ToVector(const torch::Tensor& tensor) {
  const torch::Tensor values =
      tensor.detach().to(torch::kCPU, torch::kFloat32).contiguous().flatten();
  return {values.data_ptr<float>(), values.data_ptr<float>() + values.numel()};
}

// Geometry of a layer with square kernels, padded by half of them.
Geometry Square(int64_t size, int64_t stride) {
  const auto kernel = static_cast<int32_t>(size);
  const auto step = static_cast<int32_t>(stride);
  return {.kernel_h = kernel,
          .kernel_w = kernel,
          .stride_h = step,
          .stride_w = step,
          .pad_top = kernel / 2,
          .pad_left = kernel / 2};
}

FloatParams NormParams(const Gdn& norm) {
  return {.weights = ToVector(norm->Gamma()), .bias = ToVector(norm->Beta())};
}

}  // namespace

FloatGraph Bls2017::AnalysisGraph(int64_t rate) {
  GraphBuilder<FloatParams> builder("analysis");
  TensorId at = builder.Input({.name = "x", .channels = 3});
  for (size_t i = 0; i < analysis_.size(); ++i) {
    Layer& layer = analysis_[i];
    const bool is_last = i + 1 == analysis_.size();
    torch::Tensor kernel = layer.kernel->forward();  // out, in, ky, kx
    torch::Tensor bias = layer.bias;
    if (is_last && log_gain_.defined()) {
      const torch::Tensor gain = log_gain_[rate].exp();
      kernel = kernel * gain.view({-1, 1, 1, 1});
      if (bias.defined()) bias = bias * gain;
    }
    Geometry g = Square(kernel.size(2), layer.stride);
    g.pad_bottom = g.pad_top;
    g.pad_right = g.pad_left;
    FloatParams params{.weights = ToVector(kernel.permute({0, 2, 3, 1}))};
    if (bias.defined()) params.bias = ToVector(bias);
    const std::string name = is_last ? "y" : "ana_" + std::to_string(i);
    at = builder.Add(OpKind::kConv2d, {at}, {.name = name, .channels = kernel.size(0)}, g,
                     std::move(params));
    if (!layer.norm) continue;
    at = builder.Add(OpKind::kGdn, {at},
                     {.name = "gdn_" + std::to_string(i), .channels = kernel.size(0)}, {},
                     NormParams(layer.norm));
  }
  builder.Output(at);
  return std::move(builder).Build();
}

FloatGraph Bls2017::SynthesisGraph(int64_t rate) {
  GraphBuilder<FloatParams> builder("synthesis");
  int64_t divisor = 1;
  for (const Layer& layer : synthesis_) divisor *= layer.stride;
  TensorId at;
  for (size_t i = 0; i < synthesis_.size(); ++i) {
    Layer& layer = synthesis_[i];
    torch::Tensor kernel = layer.kernel->forward();  // in, out, ky, kx
    if (i == 0) at = builder.Input({.name = "y_hat", .channels = kernel.size(0)});
    if (i == 0 && log_inverse_gain_.defined()) {
      kernel = kernel * log_inverse_gain_[rate].exp().view({-1, 1, 1, 1});
    }
    divisor /= layer.stride;
    Geometry g = Square(kernel.size(2), layer.stride);
    g.output_divisor = static_cast<int32_t>(divisor);
    FloatParams params{.weights = ToVector(kernel.permute({1, 2, 3, 0})),
                       .bias = ToVector(layer.bias)};
    at = builder.Add(OpKind::kConvTranspose2d, {at},
                     {.name = "syn_" + std::to_string(i), .channels = kernel.size(1)}, g,
                     std::move(params));
    if (!layer.norm) continue;
    at = builder.Add(OpKind::kIgdn, {at},
                     {.name = "igdn_" + std::to_string(i), .channels = kernel.size(1)}, {},
                     NormParams(layer.norm));
  }
  builder.Output(at);
  return std::move(builder).Build();
}

Result<Model> Bls2017::ToModel(int64_t rate, const torch::Tensor&) {
  return Model(ToFloatNet(rate));
}

FloatNet Bls2017::ToFloatNet(int64_t rate) {
  const torch::NoGradGuard no_grad;
  FloatNet net;
  net.graphs.push_back(AnalysisGraph(rate));
  net.graphs.push_back(SynthesisGraph(rate));
  const double tail = 1e-4;
  net.metadata = {
      {"source", "lichen train"},
      {"task", "codec"},
      {"colour", "rgb"},
      {"model", "bls2017"},
      {"lambda", fmt::format("{:g}", lambdas_[static_cast<size_t>(rate)])},
      {"latent_range", fmt::format("{:.1f} to {:.1f} but for 2e-4",
                                   prior_->Quantiles(rate, tail).min().item<double>(),
                                   prior_->Quantiles(rate, 1 - tail).max().item<double>())}};
  return net;
}

}  // namespace lichen

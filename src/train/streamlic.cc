#include "train/streamlic.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "entropy/table_fit.h"
#include "net/export/safetensors_writer.h"
#include "net/import/streamlic.h"
#include "train/operators.h"

namespace lichen {
namespace {

constexpr double kSlope = 1.0 / 64;
constexpr double kMinProbability = 0x1p-16;
constexpr double kWideScale = 2.5;  // of the second Gaussian, relative to the first
constexpr double kMaxIndex = 127;
constexpr double kUnitIndex = 37;    // of scale 1
constexpr double kIndexGain = 64;    // of the last layer's outputs, so that indices are learnt fast
constexpr double kFirstGate = 0.05;  // of Lagc: nearly linear
constexpr double kFirstNoise = 0.05;       // of cosine transforms, relative to drawn weights
constexpr double kHyperSlope = 4;          // of the hyper-analysis' gate
constexpr double kHyperGain = 4;           // of hyper-latents before training
constexpr double kMaxLatent = kMaxSymbol;  // a decoder clamps them
constexpr double kInputScale = 1.0 / 510;  // of 2 * sample - 255
constexpr double kRangeMargin = 1.05;      // above what was seen
constexpr double kRangeDecay = 0.999;
constexpr double kEnergyDecay = 0.99;
constexpr int64_t kMaskBlock = 12;
constexpr int kTableBits = 16;

// Uniform with the variance 1 / fan_in.
torch::Tensor Drawn(c10::IntArrayRef shape, int64_t fan_in) {
  const double limit = std::sqrt(3 / static_cast<double>(fan_in));
  return torch::empty(shape, torch::kFloat32).uniform_(-limit, limit);
}

torch::Tensor ChannelsLast(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

// Rounds; the gradient passes.
torch::Tensor Rounded(const torch::Tensor& x) {
  return StraightThrough(x, torch::floor(x.detach() + 0.5));
}

torch::Tensor Noisy(const torch::Tensor& x, const BatchPart& part, const at::Generator& generator) {
  return x + (part.Uniform(x.sizes(), generator) - 0.5).to(x.options());
}

// Orthonormal cosine k of 16 samples.
std::vector<double> Cosine(int64_t k) {
  std::vector<double> wave;
  for (int64_t i = 0; i < 16; ++i) {
    const double angle =
        std::numbers::pi * static_cast<double>(k) * (static_cast<double>(i) + 0.5) / 16;
    wave.push_back(std::cos(angle) * std::sqrt((k == 0 ? 1 : 2) / 16.0));
  }
  return wave;
}

// What a latent channel begins as: coefficient (v, u) of a colour, or the mean of one quarter block.
struct FirstLatent {
  int colour = 0;
  int64_t v = 0;
  int64_t u = 0;
  int quarter = -1;
};

// Low frequencies first; two thirds of the channels are of luma.
std::vector<FirstLatent> FirstLatents(int64_t channels) {
  std::vector<FirstLatent> latents;
  for (int colour = 0; colour < 3; ++colour) {
    const int64_t count = colour == 0 ? channels - 2 * (channels / 6) : channels / 6;
    std::vector<FirstLatent> of_colour;
    for (int quarter = 0; quarter < 4; ++quarter) of_colour.push_back({colour, 0, 0, quarter});
    for (int64_t v = 0; v < 16; ++v) {
      for (int64_t u = 0; u < 16; ++u) {
        if (v > 1 || u > 1) of_colour.push_back({colour, v, u, -1});
      }
    }
    std::stable_sort(of_colour.begin() + 4, of_colour.end(), [](const auto& a, const auto& b) {
      return a.v * a.v + a.u * a.u < b.v * b.v + b.u * b.u;
    });
    const auto take = std::min<size_t>(of_colour.size(), static_cast<size_t>(count));
    latents.insert(latents.end(), of_colour.begin(), of_colour.begin() + static_cast<long>(take));
  }
  return latents;
}

// The picture (1, 3, 16, 16) that a latent stands for, of norm 1.
torch::Tensor BasisPicture(const FirstLatent& latent) {
  const double colours[3][3] = {{1, 1, 1}, {1, 0, -1}, {1, -2, 1}};
  torch::Tensor picture = torch::zeros({1, 3, 16, 16}, torch::kFloat32);
  auto at = picture.accessor<float, 4>();
  const double* colour = colours[latent.colour];
  const double norm =
      std::sqrt(colour[0] * colour[0] + colour[1] * colour[1] + colour[2] * colour[2]);
  const std::vector<double> row = Cosine(latent.v), column = Cosine(latent.u);
  for (int64_t c = 0; c < 3; ++c) {
    for (int64_t y = 0; y < 16; ++y) {
      for (int64_t x = 0; x < 16; ++x) {
        double value = row[static_cast<size_t>(y)] * column[static_cast<size_t>(x)];
        if (latent.quarter >= 0) {
          const bool is_inside = y / 8 == latent.quarter / 2 && x / 8 == latent.quarter % 2;
          value = is_inside ? 1.0 / 8 : 0;
        }
        at[0][c][y][x] = static_cast<float>(value * colour[c] / norm);
      }
    }
  }
  return picture;
}

// Output channels 0 to 4 * in - 1 become Haar's transform of 2x2 blocks of input channels 0 to in - 1.
void PutHaar(const torch::Tensor& weight, int64_t in) {
  for (int64_t c = 0; c < in; ++c) {
    for (int64_t band = 0; band < 4; ++band) {
      weight[4 * c + band].zero_();
      for (int64_t y = 0; y < 2; ++y) {
        for (int64_t x = 0; x < 2; ++x) {
          const bool is_negative = ((band & 1) != 0 && x == 1) != ((band >> 1 & 1) != 0 && y == 1);
          weight[4 * c + band][c][1 + y][1 + x].fill_(is_negative ? -0.5 : 0.5);
        }
      }
    }
  }
}

// (out, in, h, w) as a convolution applies them: of an upsampling, k2 with 4 * out channels whose
// results PixelShuffle spreads.
torch::Tensor PlainWeight(const torch::Tensor& weight, StreamLicConvImpl::Kind kind) {
  if (kind != StreamLicConvImpl::Kind::kUp) return weight;
  const int64_t in = weight.size(0), out = weight.size(1);
  // Tap k of an axis is offset k % 2 of output 2 * (1 - k / 2).
  return weight.view({in, out, 2, 2, 2, 2})
      .flip({2, 4})
      .permute({1, 3, 5, 0, 2, 4})
      .reshape({4 * out, in, 2, 2});
}

torch::Tensor Shaped(const torch::Tensor& of_channels) {
  return of_channels.unsqueeze(2).unsqueeze(3);
}

// Elements of blocks of kMaskBlock output x input channels, at each tap:
// (out block, in block, h, w, out, in).
torch::Tensor Blocks(const torch::Tensor& weight) {
  const int64_t h = weight.size(2), w = weight.size(3);
  return weight
      .view(
          {weight.size(0) / kMaskBlock, kMaskBlock, weight.size(1) / kMaskBlock, kMaskBlock, h, w})
      .permute({0, 2, 4, 5, 1, 3});
}

// (out block, in block, h, w)
torch::Tensor BlockEnergy(const StreamLicConvImpl& conv) {
  return Blocks(conv.weight.square() * conv.energy.view({1, -1, 1, 1})).sum({4, 5});
}

}  // namespace

torch::Tensor GaussianBits(const torch::Tensor& values, const torch::Tensor& mean,
                           const torch::Tensor& index, double wide_share) {
  // 1 / (scale * sqrt(2)), for erfc.
  const torch::Tensor inverse = torch::exp2((index * -3 + 111) / 32).mul(std::numbers::sqrt2 / 2);
  const torch::Tensor distance = (values - mean).abs();
  // Both on the side where erfc is small: no cancellation far out.
  const auto probability = [&](const torch::Tensor& unit) {
    return (torch::erfc((distance - 0.5) * unit) - torch::erfc((distance + 0.5) * unit)) * 0.5;
  };
  torch::Tensor p = probability(inverse);
  if (wide_share > 0) p = torch::lerp(p, probability(inverse / kWideScale), wide_share);
  return torch::log2(LowerBound(p, kMinProbability)).neg();
}

StreamLicConvImpl::StreamLicConvImpl(std::string name, Kind kind_in, int64_t in_in, int64_t out_in,
                                     int64_t kernel_h, int64_t kernel_w)
    : layer(std::move(name)), kind(kind_in), in(in_in), out(out_in) {
  const int64_t taps = kernel_h * kernel_w;
  weight = register_parameter("weight", kind == Kind::kUp
                                            ? Drawn({in, out, kernel_h, kernel_w}, in * taps / 4)
                                            : Drawn({out, in, kernel_h, kernel_w}, in * taps));
  bias = register_parameter("bias", torch::zeros({out}));
  if (kind == Kind::kPlain) {
    mask = register_buffer("mask", torch::empty({0}));
    energy = register_buffer("energy", torch::zeros({in}));
  }
}

void StreamLicConvImpl::SetMask(const torch::Tensor& new_mask) {
  mask.resize_(new_mask.sizes()).copy_(new_mask);
}

torch::Tensor StreamLicConvImpl::forward(const torch::Tensor& x) {
  const torch::Tensor w = MaskedWeight().to(x.scalar_type());
  const torch::Tensor b = bias.to(x.scalar_type());
  switch (kind) {
    case Kind::kDown:
      return torch::conv2d(x, w, b, 2, 1);
    case Kind::kUp:
      return TransposedConv(x, w, 2) + b.view({1, -1, 1, 1});
    case Kind::kPlain:
      break;
  }
  // Rows above and beside the picture are the caller's; this pads columns alone.
  const std::vector<int64_t> padding = {0, w.size(3) / 2};
  return torch::conv2d(x, w, b, 1, padding);
}

LagcImpl::LagcImpl(std::string name, int64_t channels) : layer(std::move(name)) {
  weight = register_parameter("weight", Drawn({channels, channels}, channels));
  bias = register_parameter("bias", torch::zeros({channels}));
  gain = register_parameter("gain", torch::full({channels}, kFirstGate));
  gain_bias = register_parameter("gain_bias", torch::zeros({channels}));
}

torch::Tensor LagcImpl::forward(const torch::Tensor& x) {
  const auto type = x.scalar_type();
  return LagcGate(x, PointwiseConv(x, weight.to(type), bias.to(type)), gain, gain_bias);
}

StreamLic::StreamLic(const NetworkRecipe& recipe, const std::vector<double>& lambdas,
                     const StageSwitches& switches)
    : lambdas_(lambdas), recipe_(recipe), switches_(switches), is_quantised_(switches.quantise) {
  using Kind = StreamLicConvImpl::Kind;
  const int64_t m = recipe.latent_channels;
  const int64_t n = recipe.hyper_channels;
  const int64_t wide = 4 * recipe.width;
  const auto key = [](std::string name) {  // modules' names hold no points
    std::replace(name.begin(), name.end(), '.', '_');
    return name;
  };
  const auto conv = [&](const std::string& name, Kind kind, int64_t in, int64_t out, int64_t h,
                        int64_t w) {
    AddRange(name);
    return register_module(key(name), StreamLicConv(name, kind, in, out, h, w));
  };
  const auto gate = [&](const std::string& name, int64_t channels) {
    AddRange(name);
    return register_module(key(name), Lagc(name, channels));
  };
  const std::vector<int64_t> widths = {3, recipe.width, 2 * recipe.width, wide, m};
  for (size_t i = 0; i < 4; ++i) {
    const std::string even = std::to_string(2 * i), odd = std::to_string(2 * i + 1);
    analysis_.push_back(conv("g_a." + even, Kind::kDown, widths[i], widths[i + 1], 4, 4));
    synthesis_.push_back(conv("g_s." + even, Kind::kUp, widths[4 - i], widths[3 - i], 4, 4));
    if (i == 3) break;
    analysis_gates_.push_back(gate("g_a." + odd, widths[i + 1]));
    synthesis_gates_.push_back(gate("g_s." + odd, widths[3 - i]));
  }
  hyper_analysis_ = {conv("h_a.0", Kind::kDown, m, wide, 4, 4),
                     conv("h_a.2", Kind::kDown, wide, n, 4, 4)};
  hyper_gates_ = {gate("h_a.1", wide)};
  hyper_synthesis_ = {conv("h_s.0", Kind::kUp, n, wide, 4, 4),
                      conv("h_s.2", Kind::kUp, wide, 2 * m, 4, 4)};
  context_first_ = conv("context_prediction.1", Kind::kPlain, m, 2 * m, 3, 3);
  context_last_ = conv("context_prediction.3", Kind::kPlain, 2 * m, 2 * m, 1, 3);
  parameters_ = conv("entropy_parameters.2", Kind::kPlain, 2 * m, 2 * m, 1, 3);
  // With D = step^2 / 12 and bits that fall by 1/2 per factor 4 in D, the step of a good uniform
  // quantiser of samples 0 to 1 is 1 / (255 sqrt(ln 2 * lambda / 6)); gains begin as its inverse.
  const double first = std::log(255 * std::sqrt(std::numbers::ln2 / 6));
  AddGain("latent_gain", m, 0.5, first);
  for (const char* name : {"synthesis_gain", "hyper_gain", "context_gain"}) {
    AddGain(name, m, -0.5, -first);
  }
  AddGain("mean_gain", m, 0.5, first);
  AddGain("hyper_latent_gain", n, 0, std::log(kHyperGain));
  AddGain("hyper_synthesis_gain", n, 0, -std::log(kHyperGain));
  const auto rates = static_cast<int64_t>(lambdas.size());
  torch::Tensor indices = torch::empty({rates, m});
  for (int64_t r = 0; r < rates; ++r) {
    // Latents of standard deviation 0.05 before the gain.
    const double scale = std::log(0.05) + first + 0.5 * std::log(lambdas[static_cast<size_t>(r)]);
    indices[r].fill_(kUnitIndex + std::log2(std::exp(scale)) * 32 / 3);
  }
  register_parameter("index_bias", indices / kIndexGain);
  prior_ = register_module("prior", FactorisedPrior(rates, n));
  {
    // Nearly 2 * max(x, 0): hyper-latents that begin linear in the latents tell nothing of their
    // scales, and are given up before they learn to.
    const torch::NoGradGuard no_grad;
    hyper_gates_[0]->weight.mul_(kFirstNoise).add_(torch::eye(wide) * kHyperSlope);
    hyper_gates_[0]->gain.fill_(1);
  }
  StartAsCosines();
  if (switches.tables) {
    const int64_t symbols = 2 * kMaxSymbol + 1;
    register_parameter("latent_tables",
                       torch::zeros({rates, static_cast<int64_t>(kMaxIndex) + 1, symbols}));
    register_parameter("hyper_tables", torch::zeros({rates, n, symbols}));
  }
}

void StreamLic::AddRange(const std::string& name) {
  std::string key = "range_" + name;
  std::replace(key.begin(), key.end(), '.', '_');
  register_buffer(key, torch::zeros({static_cast<int64_t>(lambdas_.size())}));
}

void StreamLic::AddGain(const char* name, int64_t channels, double exponent, double offset) {
  torch::Tensor logs = torch::empty({static_cast<int64_t>(lambdas_.size()), channels});
  for (size_t r = 0; r < lambdas_.size(); ++r) {
    logs[static_cast<int64_t>(r)].fill_(offset + exponent * std::log(lambdas_[r]));
  }
  register_parameter(name, logs);
}

void StreamLic::StartAsCosines() {
  const torch::NoGradGuard no_grad;
  const int64_t m = recipe_.latent_channels;
  if (recipe_.width < 12) return;  // too narrow to hold all samples
  int64_t kept = 3;
  std::vector<torch::Tensor> haar;
  for (size_t i = 0; i < 3; ++i) {
    torch::Tensor& weight = analysis_[i]->weight;
    const int64_t inputs = std::min<int64_t>(kept, weight.size(0) / 4);
    const torch::Tensor noise = weight * kFirstNoise;
    PutHaar(weight, inputs);
    haar.push_back(weight.narrow(0, 0, 4 * inputs).narrow(1, 0, kept).clone());
    kept = 4 * inputs;
    weight.narrow(0, 0, kept).add_(noise.narrow(0, 0, kept));
  }
  const std::vector<FirstLatent> latents = FirstLatents(m);
  torch::Tensor& last = analysis_[3]->weight;
  last.narrow(0, 0, static_cast<int64_t>(latents.size())).mul_(kFirstNoise);
  for (size_t i = 0; i < latents.size(); ++i) {
    torch::Tensor x = BasisPicture(latents[i]);
    for (const torch::Tensor& w : haar) x = torch::conv2d(x, w, {}, 2, 1);
    last[static_cast<int64_t>(i)]
        .narrow(0, 0, kept)
        .narrow(1, 1, 2)
        .narrow(2, 1, 2)
        .add_(x.squeeze(0));
    // What the hyper-analysis needs is local energy, to which a mean over a block says little, and
    // which falls with frequency.
    auto parameters = named_parameters();
    const double frequency = std::hypot(latents[i].v, latents[i].u);
    const double share = latents[i].quarter < 0 ? (1 + frequency) / 2 : 0.25;
    parameters["hyper_gain"].select(1, static_cast<int64_t>(i)).add_(std::log(share));
    if (latents[i].quarter < 0) continue;
    // White and black must not saturate.
    const double reach = (kMaxLatent - 1) / (0.5 * 8 * std::numbers::sqrt3);
    torch::Tensor& gains = parameters["latent_gain"];
    for (int64_t r = 0; r < gains.size(0); ++r) {
      const double log_gain = gains[r][static_cast<int64_t>(i)].item<double>();
      const double excess = log_gain - std::min(log_gain, std::log(reach));
      gains[r][static_cast<int64_t>(i)] -= excess;
      for (const char* name : {"synthesis_gain", "hyper_gain", "context_gain"}) {
        parameters[name][r][static_cast<int64_t>(i)] += excess;
      }
      parameters["mean_gain"][r][static_cast<int64_t>(i)] -= excess;
    }
  }
  for (size_t i = 0; i < 4; ++i) synthesis_[i]->weight.copy_(analysis_[3 - i]->weight);
}

torch::Tensor StreamLic::Compute(const torch::Tensor& x) const {
  return ChannelsLast(recipe_.bfloat16 ? x.to(torch::kBFloat16) : x);
}

torch::Tensor StreamLic::Gain(const char* name, const torch::Tensor& rates) const {
  return named_parameters(/*recurse=*/false)[name].index_select(0, rates).exp();
}

void StreamLic::Note(const std::string& layer, const torch::Tensor& value) {
  if (activations_) (*activations_)[layer] = value.detach();
}

// Follows the largest value, and gives the scale of integers that hold it.
double StreamLic::ScaleOf(const std::string& range_name, const torch::Tensor& real,
                          const torch::Tensor& rates) {
  std::string key = "range_" + range_name;
  std::replace(key.begin(), key.end(), '.', '_');
  const torch::Tensor ranges = named_buffers(/*recurse=*/false)[key];
  const auto rate = rates[0].item<int64_t>();
  if (is_watching_) {
    const torch::NoGradGuard no_grad;
    const double most = part().Max(real.abs().max().item<double>());
    ranges[rate] = std::max(most, ranges[rate].item<double>() * kRangeDecay);
  }
  const double range = std::max(ranges[rate].item<double>(), 1e-6);
  // As the exported file holds it.
  return static_cast<float>(range * kRangeMargin / static_cast<double>(kMaxActivation));
}

StreamLic::Signal StreamLic::Latents(const torch::Tensor& y) const {
  if (!is_quantised_) return {y, 0};
  return {y * (1 << kLatentShift), kLatentScale};
}

StreamLic::Signal StreamLic::Convolve(StreamLicConv& conv, const Signal& x, const Folded& folded,
                                      const torch::Tensor& output_scale, const char* range_name,
                                      const torch::Tensor& rates) {
  if (!is_quantised_) {
    torch::Tensor v = x.value;
    if (folded.input_gain.defined()) v = v * Shaped(folded.input_gain);
    v = Compute(v);
    if (switches_.mask && conv->kind == StreamLicConvImpl::Kind::kPlain && !conv->is_masked()) {
      const torch::NoGradGuard no_grad;
      const torch::Tensor energy =
          part().Mean(v.detach().to(torch::kFloat32).square().mean({0, 2, 3}));
      conv->energy.lerp_(energy, 1 - kEnergyDecay);
    }
    v = conv->forward(v);
    if (!folded.output_gain.defined()) return {v, 0};
    v = v.to(torch::kFloat32) * Shaped(folded.output_gain);
    if (folded.output_bias.defined()) v = v + Shaped(folded.output_bias);
    return {v, 0};
  }
  const bool is_up = conv->kind == StreamLicConvImpl::Kind::kUp;
  torch::Tensor weight = conv->MaskedWeight();
  torch::Tensor bias = conv->bias;
  if (folded.input_gain.defined()) {
    const torch::Tensor gain = folded.input_gain[0];
    weight =
        weight * gain.view(is_up ? c10::IntArrayRef{-1, 1, 1, 1} : c10::IntArrayRef{1, -1, 1, 1});
  }
  if (folded.output_gain.defined()) {
    const torch::Tensor gain = folded.output_gain[0];
    weight =
        weight * gain.view(is_up ? c10::IntArrayRef{1, -1, 1, 1} : c10::IntArrayRef{-1, 1, 1, 1});
    bias = bias * gain;
  }
  if (folded.output_bias.defined()) bias = bias + folded.output_bias[0];
  weight = PlainWeight(weight, conv->kind);
  if (is_up) bias = bias.repeat_interleave(4);
  const IntegerWeights integers = IntegerWeights::Make(weight);
  const torch::Tensor w = integers.values.to(x.value.scalar_type());
  torch::Tensor acc;
  if (conv->kind == StreamLicConvImpl::Kind::kDown) {
    acc = torch::conv2d(x.value, w, {}, 2, 1);
  } else if (is_up) {
    acc = torch::conv2d(x.value, w, {}, 1, 1);
  } else {
    const std::vector<int64_t> padding = {0, w.size(3) / 2};
    acc = torch::conv2d(x.value, w, {}, 1, padding);
  }
  Signal y;
  torch::Tensor scales = output_scale;
  if (!scales.defined()) {
    torch::Tensor real;
    if (is_watching_) {
      const torch::Tensor unit = integers.scale * x.scale;
      real = acc.detach() * unit.view({1, -1, 1, 1}) + bias.detach().view({1, -1, 1, 1});
    }
    y.scale = ScaleOf(range_name ? range_name : conv->layer, real, rates);
    scales = torch::full({1}, y.scale, torch::kFloat64);
  } else if (scales.numel() == 1) {
    y.scale = scales.item<double>();
  }
  const auto requantiser =
      Requantiser::Make(integers.scale.to(torch::kFloat64) * x.scale / scales, bias / scales);
  if (recorded_) {
    const std::string prefix = "param/" + conv->layer + "/";
    auto& to = recorded_->integers;
    to[prefix + "weight"] = integers.values.detach();
    to[prefix + "bias"] = requantiser.bias.detach();
    to[prefix + "scale_param"] = requantiser.steps.multiplier;
    to[prefix + "scale_shift"] = requantiser.steps.shift;
    if (conv->kind == StreamLicConvImpl::Kind::kPlain) {
      to[prefix + "mask"] = conv->is_masked() ? conv->mask : torch::ones_like(conv->weight);
    }
    recorded_->scales[prefix + "float_output_scale"] = y.scale > 0 ? y.scale : kLatentScale;
  }
  y.value = requantiser(acc);
  if (is_up) {
    y.value = torch::pixel_shuffle(y.value, 2);
    y.value = y.value.narrow(2, 1, y.value.size(2) - 2).narrow(3, 1, y.value.size(3) - 2);
  }
  y.value = ChannelsLast(y.value);
  Note(conv->layer, y.value);
  return y;
}

StreamLic::Signal StreamLic::Gate(Lagc& gate, const Signal& x, const torch::Tensor& rates) {
  if (!is_quantised_) return {gate->forward(x.value), 0};
  const auto type = x.value.scalar_type();
  const auto integers = IntegerWeights::Make(gate->weight.unsqueeze(2).unsqueeze(3));
  const auto inner =
      Requantiser::Make(integers.scale.to(torch::kFloat64) * x.scale * 256, gate->bias * 256);
  const torch::Tensor u = inner(torch::conv2d(x.value, integers.values.to(type)));
  const torch::Tensor v = TanhOfTable(u);
  // Each channel's gate fills the range.
  const torch::Tensor unit =
      ((1 + gate->gain_bias).abs() + gate->gain.abs()).detach().clamp_min(1e-6) /
      static_cast<double>(kMaxActivation);
  const auto outer =
      Requantiser::Make(gate->gain.detach() / (1024 * unit), (1 + gate->gain_bias) / unit);
  torch::Tensor g = outer(v);
  // The integer gate has its own gradient by the gain.
  const torch::Tensor by_gain =
      v.detach() *
      ((gate->gain - gate->gain.detach()) / (1024 * unit)).view({1, -1, 1, 1}).to(type);
  g = g + by_gain;
  torch::Tensor real;
  if (is_watching_) real = x.value.detach() * g.detach() * (unit * x.scale).view({1, -1, 1, 1});
  Signal y;
  y.scale = ScaleOf(gate->layer, real, rates);
  const ScaleSteps steps = StepsOf(unit.to(torch::kFloat64) * (x.scale / y.scale));
  const torch::Tensor product = x.value * g;
  const torch::Tensor m = steps.multiplier.view({1, -1, 1, 1}).to(type);
  const torch::Tensor step = torch::exp2(-steps.shift).view({1, -1, 1, 1}).to(type);
  constexpr auto kMax = static_cast<double>(kMaxActivation);
  y.value =
      ChannelsLast(StraightThrough(Clamped(product * (m * step), -kMax, kMax),
                                   torch::floor(product.detach() * m * step).clamp(-kMax, kMax)));
  if (recorded_) {
    const std::string prefix = "param/" + gate->layer + "/";
    auto& to = recorded_->integers;
    to[prefix + "affine_weight"] = integers.values.detach();
    to[prefix + "affine_bias"] = inner.bias.detach();
    to[prefix + "affine_scale_param"] = inner.steps.multiplier;
    to[prefix + "affine_scale_shift"] = inner.steps.shift;
    to[prefix + "score_scale_param"] = outer.steps.multiplier;
    to[prefix + "score_scale_shift"] = outer.steps.shift;
    to[prefix + "score_bias"] = outer.bias.detach();
    to[prefix + "output_scale_param"] = steps.multiplier;
    to[prefix + "output_scale_shift"] = steps.shift;
  }
  Note(gate->layer, y.value);
  return y;
}

StreamLic::Signal StreamLic::Leaky(const Signal& x) const {
  if (!is_quantised_) return {torch::leaky_relu(x.value, kSlope), 0};
  return {IntegerLeaky(x.value), x.scale};
}

torch::Tensor StreamLic::Analyse(const torch::Tensor& pictures, const torch::Tensor& rates) {
  Signal x = {pictures - 0.5, 0};
  if (is_quantised_) x = {ChannelsLast(torch::floor(pictures * 255 + 0.5) * 2 - 255), kInputScale};
  const torch::Tensor unit = torch::full({1}, kLatentScale, torch::kFloat64);
  for (size_t i = 0; i < analysis_.size(); ++i) {
    const bool is_last = i == analysis_gates_.size();
    Folded folded;
    if (is_last) folded.output_gain = Gain("latent_gain", rates);
    x = Convolve(analysis_[i], x, folded, is_last ? unit : torch::Tensor(), nullptr, rates);
    if (!is_last) x = Gate(analysis_gates_[i], x, rates);
  }
  return Clamped(is_quantised_ ? x.value * kLatentScale : x.value, -kMaxLatent, kMaxLatent);
}

torch::Tensor StreamLic::HyperAnalyse(const torch::Tensor& y, const torch::Tensor& rates) {
  Signal x = Convolve(hyper_analysis_[0], Latents(y), {.input_gain = Gain("hyper_gain", rates)}, {},
                      nullptr, rates);
  x = Gate(hyper_gates_[0], x, rates);
  x = Convolve(hyper_analysis_[1], x, {.output_gain = Gain("hyper_latent_gain", rates)},
               torch::full({1}, kLatentScale, torch::kFloat64), nullptr, rates);
  return is_quantised_ ? x.value * kLatentScale : x.value;
}

torch::Tensor StreamLic::HyperSynthesise(const torch::Tensor& z_hat, const torch::Tensor& rates) {
  Signal x = {z_hat, is_quantised_ ? 1.0 : 0};
  x = Convolve(hyper_synthesis_[0], x, {.input_gain = Gain("hyper_synthesis_gain", rates)}, {},
               nullptr, rates);
  // The sum that this is a part of shares one scale.
  return Convolve(hyper_synthesis_[1], Leaky(x), {}, {}, "entropy_parameters.2", rates).value;
}

torch::Tensor StreamLic::RowsAbove(const torch::Tensor& y_hat) {
  return torch::constant_pad_nd(y_hat, {0, 0, 3, 0}).narrow(2, 0, y_hat.size(2) + 2);
}

StreamLic::Parameters StreamLic::Predict(const torch::Tensor& rows_above,
                                         const torch::Tensor& global, const torch::Tensor& rates) {
  Signal above = Latents(rows_above);
  const int64_t h = global.size(2), w = global.size(3);
  above.value = ChannelsLast(above.value);
  Signal x = Convolve(context_first_, above, {.input_gain = Gain("context_gain", rates)}, {},
                      nullptr, rates);
  // Where watching has raised the common range since, the sum's scale is the context's.
  x = Convolve(context_last_, Leaky(x), {}, {}, "entropy_parameters.2", rates);
  torch::Tensor sum = x.value + global;
  if (is_quantised_) sum = Clamped(sum, -static_cast<double>(kMaxActivation), kMaxActivation);
  Note("entropy_parameters.0", sum);
  const torch::Tensor means = Gain("mean_gain", rates);
  const torch::Tensor biases = named_parameters(false)["index_bias"].index_select(0, rates);
  const auto pairs = [&](const torch::Tensor& even, const torch::Tensor& odd) {
    return torch::stack({even, odd}, 2).flatten(1);
  };
  const Folded folded = {.output_gain = pairs(means, torch::full_like(means, kIndexGain)),
                         .output_bias = pairs(torch::zeros_like(biases), biases * kIndexGain)};
  const int64_t n = sum.size(0), m = rows_above.size(1);
  const torch::Tensor unit = torch::tensor({kLatentScale, 1.0}, torch::kFloat64).repeat({m});
  x = Convolve(parameters_, Leaky({sum, x.scale}), folded, unit, nullptr, rates);
  // Even channels are means, odd ones indices.
  const torch::Tensor all = x.value.permute({0, 2, 3, 1}).reshape({n, h, w, m, 2});
  const auto shaped = [&](int64_t which) { return all.select(4, which).permute({0, 3, 1, 2}); };
  const torch::Tensor mean = is_quantised_ ? shaped(0) * kLatentScale : shaped(0);
  return {mean, Clamped(shaped(1), 0, kMaxIndex)};
}

torch::Tensor StreamLic::Synthesise(const torch::Tensor& y_hat, const torch::Tensor& rates) {
  Signal x = Latents(y_hat);
  for (size_t i = 0; i < synthesis_.size(); ++i) {
    const bool is_last = i == synthesis_gates_.size();
    Folded folded;
    if (i == 0) folded.input_gain = Gain("synthesis_gain", rates);
    // The last integer is rounded down, so half a code goes in before.
    if (is_last && is_quantised_) folded.output_bias = torch::full({1, 3}, 0.5 / 255);
    x = Convolve(synthesis_[i], x, folded, {}, nullptr, rates);
    if (!is_last) x = Gate(synthesis_gates_[i], x, rates);
  }
  if (!is_quantised_) return x.value.to(torch::kFloat32) + 0.5;
  if (recorded_) recorded_->scales["final_scale"] = x.scale;
  const Result<ChannelRequant> last = StreamlicFinalRequant(x.scale);
  LICHEN_CHECK(last.has_value());
  const double unit = std::ldexp(1.0, -last->post_shift);
  const auto multiplier = static_cast<double>(last->multiplier[0]);
  const auto offset = static_cast<double>(last->bias[0]);
  const torch::Tensor codes =
      torch::floor((x.value.detach() * multiplier + (offset + 0.5 / unit)) * unit).clamp(0, 255);
  Note("output", codes);
  return StraightThrough(x.value * (multiplier * unit / 255) + 0.5, codes / 255);
}

torch::Tensor StreamLic::HyperBits(const torch::Tensor& z_hat, const torch::Tensor& rates) {
  if (!switches_.tables) return prior_->Bits(z_hat.to(torch::kFloat32), rates).flatten(1).sum(1);
  const torch::Tensor logs = torch::log_softmax(
      named_parameters(false)["hyper_tables"].index_select(0, rates), 2);  // n, channel, symbol
  const torch::Tensor symbols = (z_hat.detach() + kMaxSymbol).to(torch::kInt64).flatten(2);
  return logs.gather(2, symbols).flatten(1).sum(1) / -std::numbers::ln2;
}

torch::Tensor StreamLic::LatentBits(const torch::Tensor& y_hat, const Parameters& p,
                                    const torch::Tensor& rates) {
  if (!switches_.tables) {
    return GaussianBits(y_hat, p.mean, p.index, switches_.wide_share).flatten(1).sum(1);
  }
  const torch::Tensor logs =
      torch::log_softmax(named_parameters(false)["latent_tables"].index_select(0, rates), 2);
  const torch::Tensor symbols =
      torch::floor(y_hat.detach() - p.mean.detach() + 0.5 + kMaxSymbol).to(torch::kInt64);
  const torch::Tensor index = p.index.detach().to(torch::kInt64);
  const torch::Tensor cells = (index * (2 * kMaxSymbol + 1) + symbols).flatten(1);
  return logs.flatten(1).gather(1, cells).sum(1) / -std::numbers::ln2;
}

CodecOutput StreamLic::Forward(const torch::Tensor& pictures, const torch::Tensor& rates,
                               LatentMode mode, const at::Generator& generator) {
  const bool is_noise = mode == LatentMode::kNoise && !switches_.hard_rounding;
  torch::Tensor y, z;
  {
    const torch::AutoGradMode with_grad(torch::GradMode::is_enabled() && !switches_.fixed_encoder);
    y = Analyse(pictures, rates);
    Note("y", y / kLatentScale);
    z = HyperAnalyse(y, rates);
  }
  const torch::Tensor z_hat =
      is_noise ? Noisy(z, part(), generator) : Clamped(Rounded(z), -kMaxLatent, kMaxLatent);
  Note("z_hat", z_hat);
  torch::Tensor hyper_bits = HyperBits(z_hat, rates);
  if (step_ < switches_.hyper_warmup_steps) {
    // Free for half of the time; the distribution learns at full speed all the same.
    const double share = std::max(
        0.0,
        2 * static_cast<double>(step_) / static_cast<double>(switches_.hyper_warmup_steps) - 1);
    hyper_bits = hyper_bits * share + HyperBits(z_hat.detach(), rates) * (1 - share);
  }
  const torch::Tensor global = HyperSynthesise(z_hat, rates);
  torch::Tensor y_hat = y, seen;
  Parameters p;
  const auto symbols = [&](const torch::Tensor& of_rows) {
    return torch::floor(of_rows.detach() - p.mean.detach() + 0.5).clamp(-kMaxLatent, kMaxLatent);
  };
  if (is_noise) {
    y_hat = Noisy(y, part(), generator);
    p = Predict(RowsAbove(y_hat), global, rates);
    if (switches_.rounded_synthesis) seen = StraightThrough(y, symbols(y) + p.mean);
  } else {
    {
      // Row by row, as a decoder.
      const torch::NoGradGuard no_grad;
      const bool was_watching = std::exchange(is_watching_, false);
      y_hat = torch::constant_pad_nd(torch::zeros_like(y), {0, 0, 3, 0});
      for (int64_t row = 0; row < y.size(2); ++row) {
        p = Predict(y_hat.narrow(2, row, 3), global.narrow(2, row, 1), rates);
        y_hat.narrow(2, row + 3, 1).copy_(symbols(y.narrow(2, row, 1)) + p.mean);
      }
      y_hat = y_hat.narrow(2, 3, y.size(2));
      is_watching_ = was_watching;
    }
    p = Predict(RowsAbove(y_hat), global, rates);
    // The gradient of the latents passes; that of the means cancels.
    y_hat = StraightThrough(y, symbols(y) + p.mean);
    Note("y_hat", y_hat / kLatentScale);
    Note("means", p.mean / kLatentScale);
    Note("pdf_index", p.index);
    Note("symbols", symbols(y));
  }
  if (!seen.defined()) seen = y_hat;
  const torch::Tensor bits = LatentBits(y_hat, p, rates);
  const torch::Tensor picture = Synthesise(seen, rates);
  return {switches_.tables ? picture.detach() : picture, bits + hyper_bits};
}

std::vector<StreamLicConv*> StreamLic::MaskedLayers() {
  return {&context_first_, &context_last_, &parameters_};
}

torch::Tensor StreamLic::Penalty() {
  if (!switches_.mask || context_first_->is_masked() || switches_.group_weight == 0) return {};
  torch::Tensor sum = torch::zeros({});
  for (StreamLicConv* conv : MaskedLayers()) {
    sum = sum + (BlockEnergy(**conv) + 1e-12).sqrt().sum();
  }
  return sum * switches_.group_weight;
}

Result<void> StreamLic::MakeMasks() {
  if (!switches_.mask || context_first_->is_masked()) return {};
  const torch::NoGradGuard no_grad;
  const std::vector<int64_t> kept = {switches_.context_blocks, switches_.row_blocks,
                                     switches_.parameter_blocks};
  for (size_t i = 0; i < kept.size(); ++i) {
    StreamLicConvImpl& conv = **MaskedLayers()[i];
    if (conv.in % kMaskBlock != 0 || conv.out % kMaskBlock != 0) {
      return Fail("masks need channels in multiples of {}: choose network.latent_channels so",
                  kMaskBlock);
    }
    const torch::Tensor scores = BlockEnergy(conv);  // out block, in block, h, w
    const torch::Tensor flat = scores.flatten(1);
    const int64_t count = std::min(kept[i], flat.size(1));
    const torch::Tensor best = std::get<1>(flat.topk(count, 1));
    const torch::Tensor on = torch::zeros_like(flat).scatter(1, best, 1).view_as(scores);
    conv.SetMask(on.repeat_interleave(kMaskBlock, 0).repeat_interleave(kMaskBlock, 1));
  }
  return {};
}

Result<void> StreamLic::StartStage(const StageSwitches& switches) {
  switches_ = switches;
  is_quantised_ = switches.quantise;
  const torch::NoGradGuard no_grad;
  for (const auto& parameter : named_parameters()) {
    const std::string& name = parameter.key();
    const auto begins = [&](const char* with) { return name.rfind(with, 0) == 0; };
    const bool is_encoder = begins("g_a") || begins("h_a") || begins("latent_gain") ||
                            begins("hyper_gain") || begins("hyper_latent_gain");
    const bool is_table = name == "latent_tables" || name == "hyper_tables";
    parameter.value().requires_grad_(switches.tables ? is_table
                                                     : !(switches.fixed_encoder && is_encoder));
  }
  if (!switches.tables || !switches.table_init) return {};
  auto parameters = named_parameters(/*recurse=*/false);
  const int64_t symbols = 2 * kMaxSymbol + 1;
  const torch::Tensor x = torch::arange(-kMaxSymbol, kMaxSymbol + 1, torch::kFloat32);
  const torch::Tensor indices = torch::arange(0, kMaxIndex + 1, torch::kFloat32).view({-1, 1});
  const torch::Tensor bits = GaussianBits(x.view({1, -1}), torch::zeros({1, 1}), indices);
  parameters["latent_tables"].copy_(
      (bits * -std::numbers::ln2).unsqueeze(0).expand_as(parameters["latent_tables"]));
  const int64_t n = recipe_.hyper_channels;
  for (int64_t r = 0; r < static_cast<int64_t>(lambdas_.size()); ++r) {
    const torch::Tensor z = x.view({1, 1, symbols, 1}).expand({1, n, symbols, 1});
    const torch::Tensor hyper = prior_->Bits(z, torch::full({1}, r, torch::kInt64));
    parameters["hyper_tables"][r].copy_(hyper.view({n, symbols}) * -std::numbers::ln2);
  }
  return {};
}

IntegerTensors StreamLic::Record(int64_t rate, const torch::Tensor& pictures,
                                 std::map<std::string, torch::Tensor>* activations) {
  const torch::NoGradGuard no_grad;
  IntegerTensors recorded;
  const bool was_quantised = std::exchange(is_quantised_, true);
  const bool was_watching = std::exchange(is_watching_, false);
  const bool was_hard = std::exchange(switches_.hard_rounding, true);
  recorded_ = &recorded;
  activations_ = activations;
  Forward(pictures, torch::full({pictures.size(0)}, rate, torch::kInt64), LatentMode::kRound,
          at::detail::createCPUGenerator(0));
  recorded_ = nullptr;
  activations_ = nullptr;
  is_quantised_ = was_quantised;
  is_watching_ = was_watching;
  switches_.hard_rounding = was_hard;
  return recorded;
}

Result<std::vector<TableSet>> StreamLic::Tables(int64_t rate) {
  const auto set_of = [&](const char* name, const torch::Tensor& probabilities) {
    TableSet set{.name = name, .prob_bits = kTableBits};
    const torch::Tensor p = probabilities.to(torch::kFloat64).contiguous();
    for (int64_t i = 0; i < p.size(0); ++i) {
      const double* row = p.data_ptr<double>() + i * p.size(1);
      const std::span<const double> weights(row, static_cast<size_t>(p.size(1)));
      set.tables.push_back({.min_symbol = -static_cast<int32_t>(kMaxSymbol),
                            .frequencies = QuantiseWeights(weights, kTableBits)});
    }
    return set;
  };
  const torch::NoGradGuard no_grad;
  const auto parameters = named_parameters(/*recurse=*/false);
  if (switches_.tables) {
    return std::vector<TableSet>{
        set_of("latent", torch::softmax(parameters["latent_tables"][rate], 1)),
        set_of("hyper_latent", torch::softmax(parameters["hyper_tables"][rate], 1))};
  }
  const int64_t n = recipe_.hyper_channels, symbols = 2 * kMaxSymbol + 1;
  const torch::Tensor z = torch::arange(-kMaxSymbol, kMaxSymbol + 1, torch::kFloat32)
                              .view({1, 1, symbols, 1})
                              .expand({1, n, symbols, 1});
  const torch::Tensor bits = prior_->Bits(z, torch::full({1}, rate, torch::kInt64));
  TableSet gaussian = GaussianTables();
  gaussian.name = "latent";
  return std::vector<TableSet>{std::move(gaussian),
                               set_of("hyper_latent", torch::exp2(-bits.view({n, symbols})))};
}

Result<Model> StreamLic::ToModel(int64_t rate, const torch::Tensor& pictures) {
  const torch::NoGradGuard no_grad;
  const torch::Tensor rates = torch::full({pictures.size(0)}, rate, torch::kInt64);
  auto buffers = named_buffers(/*recurse=*/false);
  std::map<std::string, torch::Tensor> kept;
  if (!switches_.quantise) {
    for (auto& buffer : buffers) {
      kept[buffer.key()] = buffer.value().clone();
      buffer.value()[rate] = 0;
    }
    const bool was_hard = std::exchange(switches_.hard_rounding, true);
    is_quantised_ = true;
    for (int pass = 0; pass < 2; ++pass) {  // the second with the ranges of the first
      Forward(pictures, rates, LatentMode::kRound, at::detail::createCPUGenerator(0));
    }
    is_quantised_ = false;
    switches_.hard_rounding = was_hard;
  }
  const IntegerTensors recorded = Record(rate, pictures.narrow(0, 0, 1), nullptr);
  for (auto& buffer : buffers) {
    if (!switches_.quantise) buffer.value().copy_(kept[buffer.key()]);
  }
  using Type = SafetensorsWriter::Type;
  SafetensorsWriter writer;
  for (const auto& [name, tensor] : recorded.integers) {
    const torch::Tensor values = tensor.to(torch::kCPU, torch::kInt64).contiguous().flatten();
    const bool is_weight = name.ends_with("weight");
    const Type type = is_weight ? Type::kI16 : name.ends_with("mask") ? Type::kU8 : Type::kI32;
    const int64_t* first = values.data_ptr<int64_t>();
    writer.AddIntegers(name, type, tensor.sizes().vec(),
                       std::vector<int64_t>(first, first + values.numel()));
  }
  for (const auto& [name, scale] : recorded.scales) writer.AddFloat(name, scale);
  LICHEN_TRY(const Safetensors file, Safetensors::Parse(std::move(writer).Finish({}), "streamlic"));
  LICHEN_TRY(IntNet net, StreamlicNet(file));
  LICHEN_TRY(net.tables, Tables(rate));
  net.metadata = {{"source", "lichen train"},
                  {"task", "codec"},
                  {"colour", "rgb"},
                  {"lambda", fmt::format("{:g}", lambdas_[static_cast<size_t>(rate)])}};
  return Model(std::move(net));
}

}  // namespace lichen

#include "train/cnn/norm_quantised.h"

#include <bit>
#include <cmath>

#include "base/check.h"
#include "train/cnn/cpu_kernels.h"
#include "train/cnn/norm_kernel.h"
#include "train/cnn/quantisers.h"

namespace lichen {
namespace {

constexpr int64_t kPixelsPerPart = 1 << 10;  // the unit of parallel work and of float sums

std::span<const float> Floats(const torch::Tensor& t) {
  return t.defined() ? std::span<const float>(t.data_ptr<float>(), static_cast<size_t>(t.numel()))
                     : std::span<const float>();
}

// What both directions need, in a form that an AutogradContext keeps.
struct Options {
  double unit;
  double momentum, epsilon;
  double output_scale;
  bool pools;
  std::vector<QuantiserStep> steps;
};

// x in parts of whole rows.
struct Parts {
  Parts(const torch::Tensor& x, bool pools) : pools_(pools) {
    rows_ = x.size(0) * x.size(2);
    width_ = x.size(3);
    channels_ = x.size(1);
    rows_per_part_ = std::max<int64_t>(1, kPixelsPerPart / std::max<int64_t>(width_, 1));
    count = (rows_ + rows_per_part_ - 1) / rows_per_part_;
  }
  NormShape Shape(int64_t part) const {
    return {std::min(rows_per_part_, rows_ - part * rows_per_part_), width_, channels_, pools_};
  }
  int64_t OffsetOfX(int64_t part) const { return part * rows_per_part_ * width_ * channels_; }
  int64_t OffsetOfY(int64_t part) const { return OffsetOfX(part) * (pools_ ? 4 : 1); }

  int64_t count;

 private:
  int64_t rows_, width_, channels_, rows_per_part_;
  bool pools_;
};

// Sum and sum of squares of y per channel, (2, channels), float64.
torch::Tensor ChannelSums(const torch::Tensor& y) {
  const int64_t channels = y.size(1), pixels = y.numel() / channels;
  const int64_t parts = (pixels + kPixelsPerPart - 1) / kPixelsPerPart;
  const torch::Tensor sums = torch::zeros({parts, 2, channels}, torch::kFloat64);
  OfType(y, [&]<typename T>(T) {
    ForParts(parts, [&](int64_t part) {
      const int64_t first = part * kPixelsPerPart;
      double* const to = sums.data_ptr<double>() + part * 2 * channels;
      AddChannelSums(Data<const T>(y) + first * channels, std::min(kPixelsPerPart, pixels - first),
                     channels, to, to + channels);
    });
  });
  return sums.sum(0);
}

class NormOnCpu : public torch::autograd::Function<NormOnCpu> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context,
                               const torch::Tensor& input, const torch::Tensor& gamma,
                               const torch::Tensor& beta, const torch::Tensor& shares,
                               torch::Tensor running_mean, torch::Tensor running_variance,
                               const Options& o) {
    const torch::Tensor y = ChannelsLast(input);
    const auto count = static_cast<double>(y.numel() / y.size(1));
    const torch::Tensor moments = ChannelSums(y) / count;
    const torch::Tensor mean = moments[0] * o.unit;
    const torch::Tensor variance = (moments[1] * (o.unit * o.unit) - mean.square()).clamp_min(0);
    running_mean.mul_(1 - o.momentum).add_(mean.to(torch::kFloat32), o.momentum);
    running_variance.mul_(1 - o.momentum)
        .add_((variance * (count / std::max(count - 1, 1.0))).to(torch::kFloat32), o.momentum);
    const torch::Tensor inverse = torch::rsqrt(variance + o.epsilon);
    const torch::Tensor real_scale = gamma.to(torch::kFloat64) * inverse;
    const torch::Tensor scale = (real_scale * o.unit).to(torch::kFloat32);
    const torch::Tensor shift = (beta.to(torch::kFloat64) - mean * real_scale).to(torch::kFloat32);
    const int64_t by = o.pools ? 2 : 1;
    torch::Tensor x = torch::empty({y.size(0), y.size(1), y.size(2) / by, y.size(3) / by},
                                   y.options().memory_format(torch::MemoryFormat::ChannelsLast));
    const NormQuantiser quantiser = {o.steps, Floats(shares), static_cast<float>(o.output_scale)};
    const Parts parts(x, o.pools);
    OfType(y, [&]<typename T>(T) {
      ForParts(parts.count, [&](int64_t part) {
        NormQuantise(parts.Shape(part), Data<const T>(y) + parts.OffsetOfY(part),
                     scale.data_ptr<float>(), shift.data_ptr<float>(), quantiser,
                     Data<T>(x) + parts.OffsetOfX(part));
      });
    });
    context->save_for_backward({y, shares, scale, shift, inverse, mean, real_scale});
    context->saved_data["numbers"] = Packed(o);
    context->saved_data["pools"] = o.pools;
    return x;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &y = saved[0], &shares = saved[1], &scale = saved[2], &shift = saved[3],
                        &inverse = saved[4], &mean = saved[5], &real_scale = saved[6];
    const Options o = Unpacked(context->saved_data["numbers"].toDoubleVector(),
                               context->saved_data["pools"].toBool());
    const torch::Tensor g = ChannelsLast(gradients[0].to(y.scalar_type()));
    const int64_t channels = y.size(1);
    const auto widths = static_cast<int64_t>(o.steps.size());
    const NormQuantiser quantiser = {o.steps, Floats(shares), static_cast<float>(o.output_scale)};
    const Parts parts(g, o.pools);
    const torch::Tensor all = torch::zeros({parts.count, 2 * channels + widths}, torch::kFloat64);
    OfType(y, [&]<typename T>(T) {
      ForParts(parts.count, [&](int64_t part) {
        double* const to = all.data_ptr<double>() + part * (2 * channels + widths);
        AddNormGradients(parts.Shape(part), Data<const T>(y) + parts.OffsetOfY(part),
                         Data<const T>(g) + parts.OffsetOfX(part), scale.data_ptr<float>(),
                         shift.data_ptr<float>(), quantiser, to, to + channels, to + 2 * channels);
      });
    });
    const torch::Tensor sums = all.sum(0);
    const torch::Tensor beta = sums.narrow(0, 0, channels);
    // Of the normalised values: y * unit, less the mean, over the deviation.
    const torch::Tensor gamma =
        inverse * (sums.narrow(0, channels, channels) * o.unit - mean * beta);
    const double count = static_cast<double>(y.numel() / channels);
    const torch::Tensor slope = gamma * inverse / count;
    const auto floats = [](const torch::Tensor& t) { return t.to(torch::kFloat32).contiguous(); };
    const torch::Tensor of_gradient = floats(real_scale * o.unit);
    const torch::Tensor of_value = floats(-real_scale * o.unit * slope * o.unit);
    const torch::Tensor constant = floats(-real_scale * o.unit * (beta / count - slope * mean));
    const NormGradient by = {of_gradient.data_ptr<float>(), of_value.data_ptr<float>(),
                             constant.data_ptr<float>()};
    torch::Tensor gy = torch::empty_like(y);
    OfType(y, [&]<typename T>(T) {
      ForParts(parts.count, [&](int64_t part) {
        NormQuantiseBackward(parts.Shape(part), Data<const T>(y) + parts.OffsetOfY(part),
                             Data<const T>(g) + parts.OffsetOfX(part), scale.data_ptr<float>(),
                             shift.data_ptr<float>(), quantiser, by,
                             Data<T>(gy) + parts.OffsetOfY(part));
      });
    });
    return {gy, floats(gamma), floats(beta), floats(sums.narrow(0, 2 * channels, widths)), {}, {},
            {}};
  }

 private:
  static std::vector<double> Packed(const Options& o) {
    std::vector<double> packed = {o.unit, o.momentum, o.epsilon, o.output_scale};
    for (const QuantiserStep& s : o.steps) {
      packed.insert(packed.end(), {s.step, s.inverse, s.low, s.high});
    }
    return packed;
  }

  static Options Unpacked(const std::vector<double>& packed, bool pools) {
    Options o = {packed[0], packed[1], packed[2], packed[3], pools, {}};
    for (size_t i = 4; i + 3 < packed.size(); i += 4) {
      o.steps.push_back({static_cast<float>(packed[i]), static_cast<float>(packed[i + 1]),
                         static_cast<float>(packed[i + 2]), static_cast<float>(packed[i + 3])});
    }
    return o;
  }
};

}  // namespace

torch::Tensor NormQuantisedByTensors(const torch::Tensor& y, double unit,
                                     const BatchNormState& norm,
                                     const ActivationMixture& activation, bool pools,
                                     bool is_training) {
  torch::Tensor z =
      torch::batch_norm(y.to(torch::kFloat32) * unit, norm.scale, norm.shift, norm.mean,
                        norm.variance, is_training, norm.momentum, norm.epsilon,
                        /*cudnn_enabled=*/true);
  // The quantisers are monotonous: the maximum may come first, on fewer values afterwards.
  if (pools) z = torch::max_pool2d(z, 2);
  z = activation.steps.empty()
          ? torch::relu(z)
          : MixQuantised(z, activation.shares, activation.steps, /*passes_all=*/false);
  return (z * (1 / activation.unit)).to(y.scalar_type());
}

torch::Tensor NormQuantised(const torch::Tensor& y, double unit, const BatchNormState& norm,
                            const ActivationMixture& activation, bool pools, bool is_training) {
  LICHEN_CHECK(activation.steps.size() <= kWidthsAtMost);
  const bool is_even = y.size(2) % 2 == 0 && y.size(3) % 2 == 0;
  if (!is_training || !HasCpuKernel(y) || (pools && !is_even)) {
    return NormQuantisedByTensors(y, unit, norm, activation, pools, is_training);
  }
  const torch::Tensor shares =
      activation.shares.defined() ? activation.shares : torch::zeros({0}, torch::kFloat32);
  return NormOnCpu::apply(
      y, norm.scale, norm.shift, shares, norm.mean, norm.variance,
      Options{unit, norm.momentum, norm.epsilon, 1 / activation.unit, pools, activation.steps});
}

}  // namespace lichen

#include "train/operators.h"

#include <ATen/Parallel.h>

#include "train/lagc_kernel.h"

namespace lichen {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

class LowerBoundFunction : public torch::autograd::Function<LowerBoundFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x, double bound) {
    context->save_for_backward({x});
    context->saved_data["bound"] = bound;
    return x.clamp_min(bound);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const torch::Tensor x = context->get_saved_variables()[0];
    const torch::Tensor& gradient = gradients[0];
    const torch::Tensor passes =
        (x >= context->saved_data["bound"].toDouble()).logical_or(gradient < 0);
    return {gradient * passes.to(gradient.dtype()), torch::Tensor()};
  }
};

// The three parts of y = conv2d(x, w), with w (out, in, k, k) and padding (k - 1) / 2.
struct ConvParts {
  int64_t stride;

  torch::Tensor Forward(const torch::Tensor& x, const torch::Tensor& w) const {
    return torch::conv2d(x, w, {}, stride, (w.size(2) - 1) / 2);
  }

  // Gradient of x (first) and w (second), each where asked for.
  std::tuple<torch::Tensor, torch::Tensor> Backward(const torch::Tensor& gradient,
                                                    const torch::Tensor& x, const torch::Tensor& w,
                                                    bool of_x, bool of_w) const {
    const int64_t pad = (w.size(2) - 1) / 2;
    const auto parts = at::convolution_backward(
        gradient, x, w, c10::OptionalArrayRef<int64_t>(), {stride, stride}, {pad, pad}, {1, 1},
        /*transposed=*/false, {0, 0}, /*groups=*/1, {of_x, of_w, false});
    return {std::get<0>(parts), std::get<1>(parts)};
  }
};

// The adjoint: its forward is the gradient of x, its gradients are the other two parts.
class TransposedConvFunction : public torch::autograd::Function<TransposedConvFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& y,
                               const torch::Tensor& w, int64_t stride) {
    context->save_for_backward({y, w});
    context->saved_data["stride"] = stride;
    // Only the size and type of x matter here.
    const torch::Tensor x =
        torch::empty({y.size(0), w.size(1), y.size(2) * stride, y.size(3) * stride},
                     y.options().memory_format(y.suggest_memory_format()));
    return std::get<0>(ConvParts{stride}.Backward(y, x, w, true, false));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor& y = saved[0];
    const torch::Tensor& w = saved[1];
    const ConvParts parts{context->saved_data["stride"].toInt()};
    const torch::Tensor gradient = gradients[0].contiguous(y.suggest_memory_format());
    return {parts.Forward(gradient, w), std::get<1>(parts.Backward(y, gradient, w, false, true)),
            torch::Tensor()};
  }
};

bool IsFast(const torch::Tensor& x) {
  return x.device().is_cpu() &&
         (x.scalar_type() == torch::kFloat32 || x.scalar_type() == torch::kBFloat16);
}

torch::Tensor ChannelsLast(const torch::Tensor& x) {
  return x.contiguous(torch::MemoryFormat::ChannelsLast);
}

// Calls with the tensor's values as float, or as the halves that bfloat16 keeps.
template <class Function>
void WithType(const torch::Tensor& x, Function&& function) {
  if (x.scalar_type() == torch::kFloat32) {
    function(float{});
  } else {
    function(uint16_t{});
  }
}

template <class T>
T* Data(const torch::Tensor& x) {
  return static_cast<T*>(x.data_ptr());
}

constexpr int64_t kPixelsPerTask = 512;

class LagcGateFunction : public torch::autograd::Function<LagcGateFunction> {
 public:
  static torch::Tensor forward(AutogradContext* context, const torch::Tensor& x_in,
                               const torch::Tensor& u, const torch::Tensor& w_in,
                               const torch::Tensor& c_in) {
    const torch::Tensor x = ChannelsLast(x_in);
    const torch::Tensor t = ChannelsLast(u.tanh());
    const torch::Tensor w = w_in.contiguous();
    const torch::Tensor c = c_in.contiguous();
    context->save_for_backward({x, t, w, c});
    const torch::Tensor y = torch::empty_like(x);
    const int64_t channels = x.size(1);
    WithType(x, [&]<class T>(T) {
      at::parallel_for(0, x.numel() / channels, kPixelsPerTask, [&](int64_t begin, int64_t end) {
        const int64_t at = begin * channels;
        LagcGateForward(end - begin, channels, Data<T>(x) + at, Data<T>(t) + at, Data<float>(w),
                        Data<float>(c), Data<T>(y) + at);
      });
    });
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &t = saved[1], &w = saved[2], &c = saved[3];
    const torch::Tensor gy = ChannelsLast(gradients[0]);
    const torch::Tensor gx = torch::empty_like(x);
    const torch::Tensor gu = torch::empty_like(x);
    const int64_t channels = x.size(1);
    const int64_t pixels = x.numel() / channels;
    // Sums of one task each, so that they do not depend on which thread comes first.
    const int64_t tasks = std::max<int64_t>(1, (pixels + kPixelsPerTask - 1) / kPixelsPerTask);
    const torch::Tensor sums = torch::zeros({2, tasks, channels}, w.options());
    WithType(x, [&]<class T>(T) {
      at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
          const int64_t first = task * kPixelsPerTask;
          const int64_t at = first * channels;
          LagcGateBackward(std::min(kPixelsPerTask, pixels - first), channels, Data<T>(gy) + at,
                           Data<T>(x) + at, Data<T>(t) + at, Data<float>(w), Data<float>(c),
                           Data<T>(gx) + at, Data<T>(gu) + at, Data<float>(sums) + task * channels,
                           Data<float>(sums) + (tasks + task) * channels);
        }
      });
    });
    const torch::Tensor of_channels = sums.sum(1);
    return {gx, gu, of_channels[0], of_channels[1]};
  }
};

}  // namespace

torch::Tensor LowerBound(const torch::Tensor& x, double bound) {
  return LowerBoundFunction::apply(x, bound);
}

torch::Tensor TransposedConv(const torch::Tensor& x, const torch::Tensor& weights, int64_t stride) {
  return TransposedConvFunction::apply(x, weights, stride);
}

torch::Tensor LagcGate(const torch::Tensor& x, const torch::Tensor& u, const torch::Tensor& w,
                       const torch::Tensor& c) {
  if (IsFast(x)) return LagcGateFunction::apply(x, u, w, c);
  const auto of_channel = [&](const torch::Tensor& v) {
    return v.view({1, -1, 1, 1}).to(x.scalar_type());
  };
  return x * (1 + of_channel(c) + of_channel(w) * u.tanh());
}

torch::Tensor PointwiseConv(const torch::Tensor& x, const torch::Tensor& weights,
                            const torch::Tensor& bias) {
  const int64_t n = x.size(0), in = x.size(1), h = x.size(2), w = x.size(3);
  const int64_t out = weights.size(0);
  // Rows as a batch: libtorch takes oneDNN for batches of 16 and more only.
  const torch::Tensor rows = x.permute({0, 2, 3, 1}).reshape({n * h, 1, w, in});
  const torch::Tensor y =
      torch::conv2d(rows.permute({0, 3, 1, 2}), weights.view({out, in, 1, 1}), bias);
  return y.permute({0, 2, 3, 1}).reshape({n, h, w, out}).permute({0, 3, 1, 2});
}

}  // namespace lichen

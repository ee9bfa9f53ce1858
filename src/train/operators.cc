#include "train/operators.h"

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

// The three parts of y = conv2d(x, w), with w (out, in, k, k) and padding k / 2.
struct ConvParts {
  int64_t stride;

  torch::Tensor Forward(const torch::Tensor& x, const torch::Tensor& w) const {
    return torch::conv2d(x, w, {}, stride, w.size(2) / 2);
  }

  // Gradient of x (first) and w (second), each where asked for.
  std::tuple<torch::Tensor, torch::Tensor> Backward(const torch::Tensor& gradient,
                                                    const torch::Tensor& x, const torch::Tensor& w,
                                                    bool of_x, bool of_w) const {
    const int64_t pad = w.size(2) / 2;
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

}  // namespace

torch::Tensor LowerBound(const torch::Tensor& x, double bound) {
  return LowerBoundFunction::apply(x, bound);
}

torch::Tensor TransposedConv(const torch::Tensor& x, const torch::Tensor& weights, int64_t stride) {
  return TransposedConvFunction::apply(x, weights, stride);
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

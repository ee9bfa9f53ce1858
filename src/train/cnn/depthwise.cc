#include "train/cnn/depthwise.h"

#include "train/cnn/cpu_kernels.h"
#include "train/cnn/depthwise_kernel.h"

namespace lichen {
namespace {

constexpr int64_t kPixelsPerPart = 1 << 10;  // the unit of parallel work and of float sums

torch::Tensor Convolved(const torch::Tensor& x, const torch::Tensor& weight, int64_t pad) {
  return torch::conv2d(x, weight, {}, /*stride=*/1, /*padding=*/{pad, pad}, /*dilation=*/1,
                       /*groups=*/x.size(1));
}

// Of weights (c, 1, k, k), float64.
torch::Tensor WeightGradient(const torch::Tensor& input, const torch::Tensor& gradient,
                             int64_t kernel, int64_t pad) {
  const torch::Tensor x = ChannelsLast(input), g = ChannelsLast(gradient);
  const DepthwiseShape shape = {
      .channels = x.size(1), .kernel = kernel, .pad = pad, .height = x.size(2), .width = x.size(3)};
  const int64_t rows = shape.out_height(), width = shape.out_width();
  const int64_t rows_per_part = std::max<int64_t>(1, kPixelsPerPart / width);
  const int64_t parts = (rows + rows_per_part - 1) / rows_per_part;
  const torch::Tensor sums =
      torch::zeros({x.size(0) * parts, kernel, kernel, shape.channels}, torch::kFloat64);
  const int64_t of_sums = kernel * kernel * shape.channels;
  OfType(x, [&]<typename T>(T) {
    ForParts(x.size(0) * parts, [&](int64_t part) {
      const int64_t picture = part / parts, first = part % parts * rows_per_part;
      AddDepthwiseWeightGradients(
          shape, Data<const T>(x) + picture * shape.height * shape.width * shape.channels,
          Data<const T>(g) + picture * rows * width * shape.channels, first,
          std::min(first + rows_per_part, rows), sums.data_ptr<double>() + part * of_sums);
    });
  });
  return sums.sum(0).permute({2, 0, 1}).unsqueeze(1);
}

class DepthwiseOnCpu : public torch::autograd::Function<DepthwiseOnCpu> {
 public:
  static torch::Tensor forward(torch::autograd::AutogradContext* context, const torch::Tensor& x,
                               const torch::Tensor& weight, int64_t pad) {
    context->save_for_backward({x, weight});
    context->saved_data["pad"] = pad;
    return Convolved(x, weight, pad);
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const torch::Tensor &x = saved[0], &weight = saved[1];
    const int64_t pad = context->saved_data["pad"].toInt();
    const torch::Tensor g = gradients[0].to(x.scalar_type());
    torch::Tensor of_x;
    if (context->needs_input_grad(0)) {
      of_x = std::get<0>(at::convolution_backward(
          g, x, weight, /*bias_sizes=*/c10::nullopt, /*stride=*/{1, 1}, /*padding=*/{pad, pad},
          /*dilation=*/{1, 1}, /*transposed=*/false, /*output_padding=*/{0, 0},
          /*groups=*/x.size(1), /*output_mask=*/{true, false, false}));
    }
    return {of_x, WeightGradient(x, g, weight.size(2), pad).to(weight.scalar_type()), {}};
  }
};

}  // namespace

torch::Tensor DepthwiseConv(const torch::Tensor& x, const torch::Tensor& weight, int64_t pad) {
  const bool is_square = weight.size(2) == weight.size(3);
  if (HasCpuKernel(x) && is_square && HasDepthwiseKernel(weight.size(2)) &&
      2 * pad <= weight.size(2)) {
    return DepthwiseOnCpu::apply(x, weight, pad);
  }
  return Convolved(x, weight, pad);
}

}  // namespace lichen

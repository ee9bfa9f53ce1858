// The module that holds libtorch; bench/torch_peer.cc loads it.
#include <torch/torch.h>

#include <chrono>
#include <string>

#include "base/tensor.h"
#include "net/float_net.h"

namespace lichen {
namespace {

namespace F = torch::nn::functional;

torch::Tensor FromOhwi(const std::vector<float>& weights, int64_t out, const Geometry& g) {
  const int64_t in = static_cast<int64_t>(weights.size()) / (out * g.kernel_h * g.kernel_w);
  return torch::from_blob(const_cast<float*>(weights.data()), {out, g.kernel_h, g.kernel_w, in})
      .permute({0, 3, 1, 2})
      .contiguous();
}

torch::Tensor Bias(const std::vector<float>& bias) {
  if (bias.empty()) return {};
  return torch::from_blob(const_cast<float*>(bias.data()), {static_cast<int64_t>(bias.size())});
}

torch::Tensor RunGraph(const FloatGraph& graph, torch::Tensor x, int64_t height, int64_t width,
                       std::string* error) {
  for (const FloatNode& node : graph.nodes) {
    const Geometry& g = node.geometry;
    const FloatParams& p = node.params;
    const int64_t out = graph.tensor(node.output).channels;
    const torch::Tensor weights = FromOhwi(p.weights, out, g);
    switch (node.kind) {
      case OpKind::kConv2d:
        x = F::pad(x, F::PadFuncOptions({g.pad_left, g.pad_right, g.pad_top, g.pad_bottom}));
        x = torch::conv2d(x, weights, Bias(p.bias), {g.stride_h, g.stride_w});
        break;
      case OpKind::kConvTranspose2d: {
        x = torch::conv_transpose2d(x, weights.transpose(0, 1).contiguous(), Bias(p.bias),
                                    {g.stride_h, g.stride_w}, {g.pad_top, g.pad_left},
                                    {g.stride_h - 1, g.stride_w - 1});
        const int64_t d = g.output_divisor;
        x = x.slice(2, 0, (height + d - 1) / d).slice(3, 0, (width + d - 1) / d);
        break;
      }
      case OpKind::kGdn:
        x = x / torch::conv2d(x.abs(), weights, Bias(p.bias));
        break;
      case OpKind::kIgdn:
        x = x * torch::conv2d(x.abs(), weights, Bias(p.bias));
        break;
      default:
        *error = "the libtorch peer does not know an operator of this network";
        return {};
    }
  }
  return x;
}

}  // namespace
}  // namespace lichen

// Returns the seconds, or a negative number and the reason in *error. Called from the same program,
// so C++ types may cross.
extern "C" double LichenRunTorchPeer(const lichen::FloatGraph* analysis,
                                     const lichen::FloatGraph* synthesis,
                                     const lichen::Tensor<float>* picture, int threads,
                                     std::string* error) {
  torch::NoGradGuard no_grad;
  at::set_num_threads(threads);
  const lichen::Shape s = picture->shape();
  const torch::Tensor x =
      torch::from_blob(const_cast<float*>(picture->data()), {s.n, s.h, s.w, s.c})
          .permute({0, 3, 1, 2})
          .contiguous();
  const auto start = std::chrono::steady_clock::now();
  const torch::Tensor y = lichen::RunGraph(*analysis, x, s.h, s.w, error);
  if (!error->empty()) return -1;
  const torch::Tensor out = lichen::RunGraph(*synthesis, torch::floor(y + 0.5), s.h, s.w, error);
  if (!error->empty()) return -1;
  volatile float first = out.flatten()[0].item<float>();
  (void)first;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

#include "bench/torch_peer.h"

#include <torch/torch.h>

#include <chrono>

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

Result<torch::Tensor> RunGraph(const FloatGraph& graph, torch::Tensor x, int64_t height,
                               int64_t width) {
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
        return Fail("the libtorch peer does not know {}", Name(node.kind));
    }
  }
  return x;
}

}  // namespace

bool HaveTorchPeer() { return true; }

Result<double> RunTorchPeer(const FloatNet& net, const Tensor<float>& picture, int threads) {
  const FloatGraph* analysis = net.Find("analysis");
  const FloatGraph* synthesis = net.Find("synthesis");
  if (!analysis || !synthesis) return Fail("the libtorch peer needs a codec");
  torch::NoGradGuard no_grad;
  at::set_num_threads(threads);
  const Shape s = picture.shape();
  torch::Tensor x = torch::from_blob(const_cast<float*>(picture.data()), {s.n, s.h, s.w, s.c})
                        .permute({0, 3, 1, 2})
                        .contiguous();
  const auto start = std::chrono::steady_clock::now();
  LICHEN_TRY(torch::Tensor y, RunGraph(*analysis, x, s.h, s.w));
  LICHEN_TRY(const torch::Tensor out, RunGraph(*synthesis, torch::floor(y + 0.5), s.h, s.w));
  volatile float first = out.flatten()[0].item<float>();
  (void)first;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace lichen

#include "train/cnn/supernet.h"

#include <array>

#include "train/cnn/quantisers.h"

namespace lichen {
namespace {

constexpr std::array<int, kWidthCount> kWidths = {2, 3, 4, 5, 6, 7, 8};
static_assert(kWidths.front() == kMinBits && kWidths.back() == kMaxBits);
constexpr std::string_view kChoice = "choice_";

}  // namespace

CnnSupernet::CnnSupernet(CnnDefinition definition, QuantiserKind quantiser,
                         const DspFactorFunction& factor)
    : Cnn(std::move(definition), {.quantiser = quantiser}), quantiser_(quantiser) {
  const CnnDefinition& net = this->definition();
  const std::vector<CnnLayerShape> shapes = ShapesOf(net);
  const auto count = static_cast<int64_t>(shapes.size());
  const std::string name(kChoice);
  weight_choice_ = register_parameter(name + "weights", torch::zeros({count, kWidthCount}));
  activation_choice_ = register_parameter(name + "activations", torch::zeros({count, kWidthCount}));
  torch::Tensor costs = torch::zeros({count, kWidthCount, kWidthCount});
  for (size_t i = 0; i < shapes.size(); ++i) {
    for (size_t w = 0; w < kWidthCount; ++w) {
      for (size_t a = 0; a < kWidthCount; ++a) {
        costs[static_cast<int64_t>(i)][static_cast<int64_t>(w)][static_cast<int64_t>(a)] =
            CostUnit(shapes, i) / factor(PackedKernel(net.layers[i]), kWidths[w], kWidths[a]);
      }
    }
  }
  unit_costs_ = register_buffer("unit_costs", costs);
}

bool CnnSupernet::IsChoice(std::string_view parameter) { return parameter.starts_with(kChoice); }

torch::Tensor CnnSupernet::Shares() const {
  return torch::stack({torch::softmax(weight_choice_, 1), torch::softmax(activation_choice_, 1)});
}

torch::Tensor CnnSupernet::Cost() const {
  const torch::Tensor shares = Shares();
  return (shares[0].unsqueeze(2) * shares[1].unsqueeze(1) * unit_costs_).sum();
}

CnnPrecision CnnSupernet::Choice() const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor best = Shares().argmax(2).to(torch::kCPU);
  CnnPrecision precision = {.quantiser = quantiser_};
  for (int64_t i = 0; i < best.size(1); ++i) {
    precision.weight_bits.push_back(kWidths[static_cast<size_t>(best[0][i].item<int64_t>())]);
    precision.activation_bits.push_back(kWidths[static_cast<size_t>(best[1][i].item<int64_t>())]);
  }
  return precision;
}

CnnSupernet::Scaled CnnSupernet::PictureOf(const torch::Tensor& samples) {
  const torch::Tensor shares = torch::softmax(activation_choice_[0], 0);
  std::vector<torch::Tensor> pictures;
  for (const int bits : kWidths) {
    pictures.push_back(QuantisePicture(samples, bits) * PictureStep(quantiser_, bits));
  }
  return {torch::tensordot(shares, torch::stack(pictures), {0}, {0}), 1};
}

ActivationMixture CnnSupernet::MixtureOf(size_t i) {
  return lichen::MixtureOf(quantiser_, kWidths,
                           torch::softmax(activation_choice_[static_cast<int64_t>(i)], 0));
}

CnnSupernet::Scaled CnnSupernet::WeightOf(size_t i) {
  return {FakeQuantisedWeights(quantiser_, layers()[i].weight, kWidths,
                               torch::softmax(weight_choice_[static_cast<int64_t>(i)], 0)),
          1};
}

}  // namespace lichen

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
                         const HardwareModel& hardware)
    : Cnn(std::move(definition), {.quantiser = quantiser}),
      quantiser_(quantiser),
      budget_(hardware.budget) {
  const CnnDefinition& net = this->definition();
  const std::vector<CnnLayerShape> shapes = ShapesOf(net);
  const auto count = static_cast<int64_t>(shapes.size());
  const std::string name(kChoice);
  weight_choice_ = register_parameter(name + "weights", torch::zeros({count, kWidthCount}));
  activation_choice_ = register_parameter(name + "activations", torch::zeros({count, kWidthCount}));
  cost_unit_ = CostUnit(shapes);
  torch::Tensor cycles = torch::zeros({2, count, kWidthCount, kWidthCount});
  torch::Tensor blocks = torch::zeros({2, count, kWidthCount});
  for (size_t w = 0; w < kWidthCount; ++w) {
    for (size_t a = 0; a < kWidthCount; ++a) {
      const CnnPrecision widths = {.weight_bits = std::vector<int>(shapes.size(), kWidths[w]),
                                   .activation_bits = std::vector<int>(shapes.size(), kWidths[a])};
      const std::vector<LayerCost> costs = CostsOf(net, widths, hardware.packing);
      const auto x = static_cast<int64_t>(w), y = static_cast<int64_t>(a);
      for (int64_t i = 0; i < count; ++i) {
        const LayerCost& cost = costs[static_cast<size_t>(i)];
        cycles[0][i][x][y] = cost.dsp_cycles;
        cycles[1][i][x][y] = cost.lut_cycles;
        blocks[0][i][x] = cost.weight_bits / kBram36Bits;
        blocks[1][i][y] = cost.row_bits / kBram36Bits;
      }
    }
  }
  cycles_ = register_buffer("cycles", cycles);
  blocks_ = register_buffer("blocks", blocks);
}

bool CnnSupernet::IsChoice(std::string_view parameter) { return parameter.starts_with(kChoice); }

torch::Tensor CnnSupernet::Shares() const {
  return torch::stack({torch::softmax(weight_choice_, 1), torch::softmax(activation_choice_, 1)});
}

torch::Tensor CnnSupernet::Cost() const {
  const torch::Tensor shares = Shares();
  const torch::Tensor both = shares[0].unsqueeze(2) * shares[1].unsqueeze(1);
  torch::Tensor cost = (both * cycles_[0]).sum();
  if (budget_.lut > 0 && budget_.dsp > 0) {
    cost = torch::maximum(cost, (both * cycles_[1]).sum() * (budget_.dsp / budget_.lut));
  }
  cost = cost * cost_unit_;
  if (budget_.bram36 <= 0) return cost;
  const torch::Tensor overflow = ((shares * blocks_).sum() / budget_.bram36 - 1).clamp_min(0);
  return cost * (1 + kOverflowPrice * overflow);
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

// A network of all widths at once, whose widths are trained beside its weights.
//
// Method: DeepBurning-MixQ (after EdMIPS, Cai and Vasconcelos 2020). Each layer's weights and what it reads are mixtures of their 2- to
// 8-bit quantisations, with shares softmax(choice); the weights are shared by all widths. The mixture is made first, so a layer is
// one convolution, as in a network of fixed widths.
#pragma once

#include <vector>

#include "train/cnn/cnn.h"
#include "train/cnn/cost.h"

namespace lichen {

class CnnSupernet : public Cnn {
 public:
  CnnSupernet(CnnDefinition definition, QuantiserKind quantiser, const HardwareModel& hardware);

  // CostUnit() * BoundCycles() * (1 + kOverflowPrice * the share of block RAM beyond the budget), where a layer's cycles, LUTs and
  // bits are their means over its shares: sum over widths of p(w) * p(a) * those at (w, a). With gradients of the choices.
  torch::Tensor Cost() const;

  // The widths of the largest shares.
  CnnPrecision Choice() const;
  // (2, layers, widths): of weights, then of activations.
  torch::Tensor Shares() const;

  // Whether a parameter is one of the choices.
  static bool IsChoice(std::string_view parameter);

 protected:
  Scaled PictureOf(const torch::Tensor& samples) override;
  ActivationMixture MixtureOf(size_t i) override;
  Scaled WeightOf(size_t i) override;

 private:
  QuantiserKind quantiser_;
  torch::Tensor weight_choice_;      // (layers, widths)
  torch::Tensor activation_choice_;  // (layers, widths)
  HardwareBudget budget_;
  double cost_unit_ = 1;
  torch::Tensor cycles_;  // (2, layers, widths of weights, widths of activations): of DSPs, of LUTs
  torch::Tensor blocks_;  // (2, layers, widths): block RAMs of weights, of rows
};

}  // namespace lichen

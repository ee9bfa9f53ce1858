// Adam (Kingma and Ba 2015), beta 0.9 and 0.999.
//
// Not libtorch's own, as the state of that cannot go from one version to another.
#pragma once

#include <cmath>
#include <vector>

#include "train/torch.h"

namespace lichen {

struct Adam {
  std::vector<torch::Tensor> means;    // of gradients, in the order of the parameters
  std::vector<torch::Tensor> squares;  // of squared gradients
  std::vector<double> speeds;          // what the learning rate of each is multiplied by

  explicit Adam(const std::vector<torch::Tensor>& parameters) {
    for (const torch::Tensor& parameter : parameters) {
      means.push_back(torch::zeros_like(parameter.detach()));
      squares.push_back(torch::zeros_like(parameter.detach()));
      speeds.push_back(1);
    }
  }

  // Parameters without a gradient stay; `step` counts from 1.
  void Step(const std::vector<torch::Tensor>& parameters, double learning_rate, int64_t step) {
    const torch::NoGradGuard no_grad;
    const double mean_part = 1 - std::pow(0.9, static_cast<double>(step));
    const double square_part = 1 - std::pow(0.999, static_cast<double>(step));
    for (size_t i = 0; i < parameters.size(); ++i) {
      const torch::Tensor& gradient = parameters[i].grad();
      if (!gradient.defined()) continue;
      means[i].lerp_(gradient, 0.1);
      squares[i].lerp_(gradient.square(), 0.001);
      const torch::Tensor size = squares[i].sqrt().div_(std::sqrt(square_part)).add_(1e-8);
      parameters[i].addcdiv_(means[i], size, -learning_rate * speeds[i] / mean_part);
    }
  }
};

}  // namespace lichen

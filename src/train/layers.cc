#include "train/layers.h"

#include <cmath>
#include <numbers>

#include "train/operators.h"

namespace lichen {
namespace {

// Without it, a parameter at 0 would have gradient 0 and stay there.
constexpr double kPedestal = 0x1p-36;
constexpr double kMinBeta = 1e-6;
constexpr double kFirstGamma = 0.1;

torch::Tensor RootOf(const torch::Tensor& value) { return (value + kPedestal).sqrt(); }

torch::Tensor SquareOf(const torch::Tensor& root, double min) {
  return LowerBound(root, std::sqrt(min + kPedestal)).square() - kPedestal;
}

// Basis of one axis: row k holds a cosine or a sine.
std::vector<std::vector<double>> AxisBasis(int64_t size) {
  std::vector<std::vector<double>> rows;
  const auto n = static_cast<double>(size);
  for (int64_t k = 0; k < size; ++k) {
    std::vector<double> row;
    const auto frequency = static_cast<double>((k + 1) / 2);
    const bool is_alone = k == 0 || 2 * ((k + 1) / 2) == size;  // constant, or alternating
    for (int64_t i = 0; i < size; ++i) {
      const double angle = 2 * std::numbers::pi * frequency * static_cast<double>(i) / n;
      const double wave = k == 0 || k % 2 == 1 ? std::cos(angle) : std::sin(angle);
      row.push_back(wave * std::sqrt((is_alone ? 1 : 2) / n));
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

torch::Tensor RdftBasis(int64_t size) {
  const auto axis = AxisBasis(size);
  torch::Tensor basis = torch::empty({size * size, size * size}, torch::kFloat64);
  auto at = basis.accessor<double, 2>();
  for (int64_t ky = 0; ky < size; ++ky) {
    for (int64_t kx = 0; kx < size; ++kx) {
      for (int64_t y = 0; y < size; ++y) {
        for (int64_t x = 0; x < size; ++x) {
          at[y * size + x][ky * size + kx] = axis[static_cast<size_t>(ky)][static_cast<size_t>(y)] *
                                             axis[static_cast<size_t>(kx)][static_cast<size_t>(x)];
        }
      }
    }
  }
  return basis;
}

KernelImpl::KernelImpl(int64_t first, int64_t second, int64_t size, int64_t fan_in, bool is_rdft)
    : size_(size) {
  const double limit = std::sqrt(3 / static_cast<double>(fan_in));
  torch::Tensor kernels =
      torch::empty({first, second, size, size}, torch::kFloat64).uniform_(-limit, limit);
  if (is_rdft) {
    const torch::Tensor basis = RdftBasis(size);
    kernels = torch::matmul(kernels.flatten(2), basis);  // orthonormal: its inverse is transposed
    basis_ = register_buffer("basis", basis.to(torch::kFloat32));
  }
  parameter_ = register_parameter("parameter", kernels.to(torch::kFloat32));
}

torch::Tensor KernelImpl::forward() {
  if (!basis_.defined()) return parameter_;
  // (first, second, coefficients) as pictures of one row each.
  const torch::Tensor rows = parameter_.unsqueeze(1).permute({0, 3, 1, 2});
  const torch::Tensor taps = PointwiseConv(rows, basis_, {});
  const int64_t first = parameter_.size(0), second = parameter_.size(1);
  return taps.permute({0, 2, 3, 1}).reshape({first, second, size_, size_});
}

GdnImpl::GdnImpl(int64_t channels, bool is_inverse) : is_inverse_(is_inverse) {
  beta_root_ = register_parameter("beta_root", RootOf(torch::ones({channels})));
  gamma_root_ = register_parameter("gamma_root", RootOf(torch::eye(channels) * kFirstGamma));
}

torch::Tensor GdnImpl::Beta() const { return SquareOf(beta_root_, kMinBeta); }

torch::Tensor GdnImpl::Gamma() const { return SquareOf(gamma_root_, 0); }

torch::Tensor GdnImpl::forward(const torch::Tensor& x) {
  const torch::Tensor norm = PointwiseConv(x.abs(), Gamma(), Beta());
  return is_inverse_ ? x * norm : x / norm;
}

}  // namespace lichen

// The widths of a network's weights and activations, layer by layer. Knows nothing of libtorch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

enum class QuantiserKind { kHalfWave, kDorefa };

inline constexpr int kMinBits = 2;
inline constexpr int kMaxBits = 8;
inline constexpr int kWidthCount = kMaxBits - kMinBits + 1;

// A digit per layer: weight_bits[i] of layer i's weights, activation_bits[i] of what it reads. Both empty: float.
struct CnnPrecision {
  QuantiserKind quantiser = QuantiserKind::kHalfWave;
  std::vector<int> weight_bits;
  std::vector<int> activation_bits;
  bool IsFloat() const { return weight_bits.empty(); }
};

// "8444" -> 8, 4, 4, 4. Error unless it has `layers` digits of 2 to 8.
Result<std::vector<int>> ParseBits(std::string_view text, size_t layers);
std::string BitString(const std::vector<int>& bits);

// "hwgq" or "dorefa".
Result<QuantiserKind> ParseQuantiser(std::string_view name);
std::string_view NameOf(QuantiserKind kind);

}  // namespace lichen

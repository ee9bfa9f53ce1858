#include "kernels/row_context.h"

#include <algorithm>

#include "base/check.h"

namespace lichen {

void SplitEntropyParameters(std::span<const int32_t> parameters, const RowContextCoding& coding,
                            std::span<int32_t> means, std::span<int32_t> indices) {
  LICHEN_CHECK(parameters.size() == 2 * means.size() && means.size() == indices.size());
  for (size_t i = 0; i < means.size(); ++i) {
    means[i] = parameters[2 * i];
    indices[i] = std::clamp(parameters[2 * i + 1], 0, coding.index_max);
  }
}

void LatentsToSymbols(std::span<const int32_t> y, std::span<const int32_t> means,
                      const RowContextCoding& coding, std::span<int32_t> symbols) {
  const Requant round{.post_shift = coding.latent_shift,
                      .min = coding.symbol_range.min,
                      .max = coding.symbol_range.max};
  for (size_t i = 0; i < symbols.size(); ++i) {
    symbols[i] = static_cast<int32_t>(Requantise(int64_t{y[i]} - means[i], round));
  }
}

void SymbolsToLatents(std::span<const int32_t> symbols, std::span<const int32_t> means,
                      const RowContextCoding& coding, std::span<int32_t> y_hat) {
  for (size_t i = 0; i < symbols.size(); ++i) {
    const int64_t value = (int64_t{symbols[i]} << coding.latent_shift) + means[i];
    y_hat[i] = static_cast<int32_t>(std::clamp<int64_t>(value, INT32_MIN, INT32_MAX));
  }
}

}  // namespace lichen

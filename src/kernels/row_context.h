// The causal row context of StreamLIC: how one row of latents becomes symbols, given the entropy
// parameters that the rows above predict. Source: ../shared/golden/streamlic/README.md.
#pragma once

#include <cstdint>
#include <span>

#include "base/requantise.h"

namespace lichen {

struct RowContextCoding {
  int32_t latent_shift = 0;
  ValueRange symbol_range;
  int32_t index_max = 0;
};

// Per value i of a row: mean = parameters[2i], index = clamp(parameters[2i + 1], 0, index_max).
void SplitEntropyParameters(std::span<const int32_t> parameters, const RowContextCoding& coding,
                            std::span<int32_t> means, std::span<int32_t> indices);

// symbol = clamp((y - mean + half) >> latent_shift, symbol_range).
void LatentsToSymbols(std::span<const int32_t> y, std::span<const int32_t> means,
                      const RowContextCoding& coding, std::span<int32_t> symbols);

// y_hat = (symbol << latent_shift) + mean.
void SymbolsToLatents(std::span<const int32_t> symbols, std::span<const int32_t> means,
                      const RowContextCoding& coding, std::span<int32_t> y_hat);

}  // namespace lichen

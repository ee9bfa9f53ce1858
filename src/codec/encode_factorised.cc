#include <utility>

#include "codec/latent_writer.h"

namespace lichen {

Result<int64_t> EncodeFactorised(const EncodeParts& parts) {
  const Codec::Impl& codec = parts.codec;
  const Requant round{.post_shift = codec.coding.latent_shift,
                      .min = codec.coding.symbol_range.min,
                      .max = codec.coding.symbol_range.max};
  SegmentSymbols symbols;
  int64_t saturated = 0;
  const auto take_row = [&](int64_t y, std::span<const int32_t> row) -> Result<void> {
    for (const int32_t v : row) {
      symbols.latents.push_back(static_cast<int16_t>(Requantise(v, round)));
      saturated += v == codec.latent_range.min || v == codec.latent_range.max;
    }
    if (y + 1 < parts.layout.LatentRows(parts.layout.SegmentOf(y)).end) return {};
    LICHEN_TRY(std::vector<uint8_t> alpha, parts.input.NextAlpha());
    LICHEN_TRY_VOID(parts.writer.Write(std::move(alpha), symbols));
    symbols.Clear();
    return {};
  };
  if (parts.analysis) {
    LICHEN_TRY(const Tensor<int32_t> latents, AnalyseElsewhere(parts));
    const Shape& shape = latents.shape();
    for (int64_t y = 0; y < shape.h; ++y) {
      LICHEN_TRY_VOID(
          take_row(y, {latents.view().Row(0, y), static_cast<size_t>(shape.w * shape.c)}));
    }
    return saturated;
  }
  GraphRows rows;
  rows.source = [&](size_t, int64_t y, std::span<int32_t> row) {
    return parts.input.ReadRow(y, row);
  };
  rows.sink = [&](size_t, int64_t y, std::span<const int32_t> row) { return take_row(y, row); };
  const Size2 padded = codec.PaddedSize(parts.info);
  LICHEN_TRY_VOID(RunGraph(codec.analysis.compiled(),
                           {.input_sizes = {padded}, .reference = padded}, rows, parts.threads));
  return saturated;
}

}  // namespace lichen

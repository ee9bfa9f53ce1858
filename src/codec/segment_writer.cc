#include "codec/segment_writer.h"

#include <utility>

namespace lichen {

void SegmentSymbols::Clear() {
  latents.clear();
  numbers.clear();
  hyper.clear();
}

SegmentWriter::SegmentWriter(const Codec::Impl& codec, const ImageInfo& info,
                             const EncodeOptions& options, int64_t latent_rows_per_segment,
                             const SegmentLayout& layout, OutputFile& out)
    : codec_(codec), options_(options), out_(out) {
  header_.has_hyper = codec.hyper != nullptr;
  header_.info = info;
  header_.downscale = codec.downscale;
  header_.latent_rows_per_segment = static_cast<uint32_t>(latent_rows_per_segment);
  header_.model_identity = codec.Identity();
  position_bytes_ = HeaderBytes(info, static_cast<uint64_t>(layout.count()), header_.has_hyper);
}

Result<void> SegmentWriter::Write(std::vector<uint8_t> alpha, const SegmentSymbols& symbols) {
  std::vector<uint8_t> bytes = std::move(alpha);
  const size_t alpha_bytes = bytes.size();
  std::vector<uint8_t> hyper;
  if (codec_.hyper) {
    LICHEN_TRY(hyper, Encode(codec_.hyper->tables, symbols.hyper, TableIndices::PerChannel()));
  }
  LICHEN_TRY(
      const std::vector<uint8_t> latents,
      Encode(codec_.tables, symbols.latents,
             codec_.hyper ? TableIndices::Explicit(symbols.numbers) : TableIndices::PerChannel()));
  if (latents.size() > UINT32_MAX || alpha_bytes > UINT32_MAX || hyper.size() > UINT32_MAX) {
    return Fail("a segment exceeds 4 GiB; use fewer latent rows per segment");
  }
  bytes.insert(bytes.end(), hyper.begin(), hyper.end());
  bytes.insert(bytes.end(), latents.begin(), latents.end());
  header_.segments.push_back({.latent_bytes = static_cast<uint32_t>(latents.size()),
                              .alpha_bytes = static_cast<uint32_t>(alpha_bytes),
                              .hash = HashBytes(bytes),
                              .hyper_bytes = static_cast<uint32_t>(hyper.size()),
                              .offset_bytes = position_bytes_});
  LICHEN_TRY_VOID(out_.WriteAt(position_bytes_, bytes));
  position_bytes_ += bytes.size();
  stats_.latent_bytes += latents.size();
  stats_.hyper_bytes += hyper.size();
  stats_.symbols += static_cast<int64_t>(symbols.latents.size());
  return {};
}

Result<std::vector<uint8_t>> SegmentWriter::Encode(const PreparedTables& tables,
                                                   std::span<const int16_t> symbols,
                                                   const TableIndices& indices) {
  if (options_.measure_ideal) {
    LICHEN_TRY(const double bits, IdealBits(tables, symbols, indices));
    stats_.ideal_bits += bits;
  }
  return EncodeSymbols(tables, symbols, indices);
}

Result<EncodeStats> SegmentWriter::Finish() {
  LICHEN_TRY_VOID(out_.WriteAt(0, SerializeHeader(header_)));
  stats_.file_bytes = position_bytes_;
  return stats_;
}

}  // namespace lichen

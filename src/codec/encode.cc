#include <algorithm>
#include <deque>
#include <utility>

#include "codec/alpha.h"
#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "image/colour.h"

namespace lichen {
namespace {

class Encoder {
 public:
  Encoder(const Codec::Impl& codec, ImageReader& reader, OutputFile& out,
          const EncodeOptions& options, const Threads& threads)
      : codec_(codec),
        reader_(reader),
        info_(reader.info()),
        out_(out),
        options_(options),
        threads_(threads),
        padded_(codec.PaddedSize(info_)),
        latent_(codec.LatentSize(info_)),
        lut_(InputLut(info_.MaxSample(), codec.input_range.max)) {}

  Result<EncodeStats> Run() {
    LICHEN_TRY_VOID(Start());
    GraphRows rows;
    rows.source = [this](size_t, int64_t y, std::span<int32_t> row) { return Source(y, row); };
    rows.sink = [this](size_t, int64_t y, std::span<const int32_t> row) { return Sink(y, row); };
    LICHEN_TRY_VOID(RunGraph(codec_.analysis.compiled(),
                             {.input_sizes = {padded_}, .reference = padded_}, rows, threads_));
    while (reader_.next_row() < info_.height) LICHEN_TRY_VOID(ReadRow());
    LICHEN_TRY_VOID(out_.WriteAt(0, SerializeHeader(header_)));
    stats_.file_bytes = position_bytes_;
    return stats_;
  }

 private:
  Result<void> Start() {
    if (info_.ColourChannels() > codec_.picture_channels) {
      return Fail("the model codes grey pictures only; the input is {}", Describe(info_));
    }
    LICHEN_TRY_VOID(codec_.CheckSizes(info_));
    header_.info = info_;
    header_.downscale = codec_.downscale;
    header_.latent_rows_per_segment = static_cast<uint32_t>(options_.latent_rows_per_segment);
    header_.model_identity = codec_.identity;
    const int64_t rows = header_.LatentRows();
    const int64_t per_segment = options_.latent_rows_per_segment;
    segment_count_ = (rows + per_segment - 1) / per_segment;
    position_bytes_ = HeaderBytes(info_, static_cast<uint64_t>(segment_count_));
    samples_.resize(static_cast<size_t>(info_.RowSamples()));
    alpha_row_.resize(static_cast<size_t>(info_.width));
    if (info_.HasAlpha()) alpha_.emplace(info_.width, info_.bit_depth);
    return {};
  }

  int64_t SegmentRowsPx() const { return options_.latent_rows_per_segment * codec_.downscale; }

  // The next picture row into samples_; its alpha goes to the alpha coder.
  Result<void> ReadRow() {
    const int64_t y = reader_.next_row();
    LICHEN_TRY_VOID(reader_.ReadRow(samples_));
    if (options_.progress && y % 64 == 0) options_.progress(y, info_.height);
    if (!alpha_) return {};
    const size_t channels = static_cast<size_t>(info_.channels);
    for (size_t x = 0; x < alpha_row_.size(); ++x) {
      alpha_row_[x] = samples_[x * channels + channels - 1];
    }
    alpha_->AddRow(alpha_row_);
    if ((y + 1) % SegmentRowsPx() == 0 || y + 1 == info_.height) {
      alpha_chunks_.push_back(alpha_->Finish());
    }
    return {};
  }

  Result<void> Source(int64_t y, std::span<int32_t> row) {
    while (reader_.next_row() <= std::min(y, info_.height - 1)) LICHEN_TRY_VOID(ReadRow());
    const size_t stride = static_cast<size_t>(info_.channels);
    const size_t channels = static_cast<size_t>(codec_.picture_channels);
    const bool grey = info_.ColourChannels() == 1;
    const size_t width = static_cast<size_t>(info_.width);
    for (size_t x = 0; x < width; ++x) {
      for (size_t c = 0; c < channels; ++c) {
        row[x * channels + c] = lut_[samples_[x * stride + (grey ? 0 : c)]];
      }
    }
    for (size_t i = width * channels; i < row.size(); ++i) row[i] = row[i - channels];
    return {};
  }

  Result<void> Sink(int64_t y, std::span<const int32_t> row) {
    const Requant round{.post_shift = codec_.coding.latent_shift,
                        .min = codec_.coding.symbol_range.min,
                        .max = codec_.coding.symbol_range.max};
    for (const int32_t v : row) {
      symbols_.push_back(static_cast<int16_t>(Requantise(v, round)));
      stats_.saturated_latents += v == codec_.latent_range.min || v == codec_.latent_range.max;
    }
    // Latent rows of padding alone, beyond those that the header counts, go into the last segment.
    const bool last_segment = static_cast<int64_t>(header_.segments.size()) + 1 == segment_count_;
    const bool full = (y + 1) % options_.latent_rows_per_segment == 0;
    if (last_segment ? y + 1 == latent_.h : full) return WriteSegment();
    return {};
  }

  Result<void> WriteSegment() {
    if (info_.HasAlpha()) {
      const int64_t end = (static_cast<int64_t>(header_.segments.size()) + 1) * SegmentRowsPx();
      while (reader_.next_row() < std::min(end, info_.height)) LICHEN_TRY_VOID(ReadRow());
    }
    std::vector<uint8_t> bytes;
    if (!alpha_chunks_.empty()) {
      bytes = std::move(alpha_chunks_.front());
      alpha_chunks_.pop_front();
    }
    const size_t alpha_bytes = bytes.size();
    LICHEN_TRY(const std::vector<uint8_t> latents,
               EncodeSymbols(codec_.tables, symbols_, TableIndices::PerChannel()));
    if (options_.measure_ideal) {
      LICHEN_TRY(const double bits, IdealBits(codec_.tables, symbols_, TableIndices::PerChannel()));
      stats_.ideal_bits += bits;
    }
    if (latents.size() > UINT32_MAX || alpha_bytes > UINT32_MAX) {
      return Fail("a segment exceeds 4 GiB; use fewer latent rows per segment");
    }
    bytes.insert(bytes.end(), latents.begin(), latents.end());
    header_.segments.push_back({static_cast<uint32_t>(latents.size()),
                                static_cast<uint32_t>(alpha_bytes), HashBytes(bytes),
                                position_bytes_});
    LICHEN_TRY_VOID(out_.WriteAt(position_bytes_, bytes));
    position_bytes_ += bytes.size();
    stats_.latent_bytes += latents.size();
    stats_.symbols += static_cast<int64_t>(symbols_.size());
    symbols_.clear();
    return {};
  }

  const Codec::Impl& codec_;
  ImageReader& reader_;
  const ImageInfo info_;
  OutputFile& out_;
  const EncodeOptions& options_;
  const Threads& threads_;
  const Size2 padded_;
  const Size2 latent_;
  const std::vector<int32_t> lut_;
  LicHeader header_;
  EncodeStats stats_;
  int64_t segment_count_ = 0;
  uint64_t position_bytes_ = 0;
  std::vector<uint16_t> samples_;
  std::vector<uint16_t> alpha_row_;
  std::optional<AlphaEncoder> alpha_;
  std::deque<std::vector<uint8_t>> alpha_chunks_;
  std::vector<int16_t> symbols_;
};

}  // namespace

Result<EncodeStats> EncodeImage(const Codec& codec, ImageReader& reader, OutputFile& out,
                                const EncodeOptions& options, const Threads& threads) {
  if (options.latent_rows_per_segment < 1 || options.latent_rows_per_segment > 65535) {
    return FailUsage("{} latent rows per segment: 1 to 65535 are possible",
                     options.latent_rows_per_segment);
  }
  return Encoder(codec.impl(), reader, out, options, threads).Run();
}

Result<EncodeStats> EncodeFile(const Codec& codec, const std::filesystem::path& input,
                               const std::filesystem::path& output, const EncodeOptions& options,
                               const Threads& threads) {
  LICHEN_TRY(const std::unique_ptr<ImageReader> reader, OpenImage(input));
  LICHEN_TRY(OutputFile out, OutputFile::Create(output));
  LICHEN_TRY(const EncodeStats stats, EncodeImage(codec, *reader, out, options, threads));
  LICHEN_TRY_VOID(out.Commit());
  return stats;
}

}  // namespace lichen

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "codec/alpha.h"
#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "image/colour.h"

namespace lichen {
namespace {

struct DecodedSegment {
  std::vector<int16_t> symbols;
  std::vector<uint16_t> alpha;
};

class Decoder {
 public:
  Decoder(const Codec::Impl& codec, const InputFile& file, const DecodeOptions& options,
          const ImageSink& sink, const Threads& threads)
      : codec_(codec), file_(file), options_(options), sink_(sink), threads_(threads) {}

  Result<void> Run() {
    LICHEN_TRY(header_, ReadHeader(file_));
    LICHEN_TRY_VOID(CheckHeader());
    const ImageInfo& info = header_.info;
    LICHEN_TRY_VOID(InPlace(file_.path(), codec_.CheckSizes(info)));
    latent_ = codec_.LatentSize(info);
    LICHEN_TRY_VOID(CheckSegmentSizes());
    crop_ = options_.crop.value_or(Crop{0, 0, info.width, info.height});
    RunOptions run{.input_sizes = {latent_},
                   .reference = codec_.PaddedSize(info),
                   .output_rows = {crop_.y, crop_.y + crop_.height}};
    LICHEN_TRY(const std::vector<RowRange> needed, NeededInputRows(codec_.synthesis.graph(), run));
    last_segment_ =
        SegmentOf(std::max(needed[0].end - 1, (crop_.y + crop_.height - 1) / codec_.downscale));
    lut_ = OutputLut(codec_.output_range.max, info.MaxSample());
    GraphRows rows;
    rows.source = [this](size_t, int64_t y, std::span<int32_t> row) { return Source(y, row); };
    rows.sink = [this](size_t, int64_t y, std::span<const int32_t> row) { return Sink(y, row); };
    // Everything that can fail without the segments' bytes fails before the output begins.
    LICHEN_TRY(GraphStream stream, GraphStream::Create(codec_.synthesis.compiled(), std::move(run),
                                                       std::move(rows), threads_));
    ImageInfo out = info;
    out.height = crop_.height;
    out.width = crop_.width;
    LICHEN_TRY_VOID(sink_.begin(out));
    out_row_.resize(static_cast<size_t>(out.RowSamples()));
    return stream.AdvanceTo(stream.row_count());
  }

 private:
  Result<void> CheckHeader() const {
    const std::string& path = file_.path();
    if (header_.model_identity != codec_.identity) {
      return Fail(
          "{}: byte 32: was encoded with model {}, the given model is {}; name the right "
          "one with --model",
          path, ToHex(header_.model_identity).substr(0, 16), ToHex(codec_.identity).substr(0, 16));
    }
    if (header_.downscale != codec_.downscale) {
      return Fail("{}: byte 7: downscale {}, the model's is {}", path, header_.downscale,
                  codec_.downscale);
    }
    if (header_.info.ColourChannels() > codec_.picture_channels) {
      return Fail("{}: byte 5: a colour picture, but the model codes grey only", path);
    }
    if (options_.crop) {
      const Crop& c = *options_.crop;
      if (c.x < 0 || c.y < 0 || c.width < 1 || c.height < 1 || c.width > header_.info.width ||
          c.height > header_.info.height || c.x > header_.info.width - c.width ||
          c.y > header_.info.height - c.height) {
        return FailUsage("{}: the crop {},{},{},{} is not within the picture of {}x{}", path, c.x,
                         c.y, c.width, c.height, header_.info.width, header_.info.height);
      }
    }
    return {};
  }

  // A segment that is shorter than its symbols can be is damaged: found before anything of the
  // picture's size is allocated. Half of the bound leaves room for the coder's own rounding.
  Result<void> CheckSegmentSizes() const {
    for (size_t i = 0; i < header_.segments.size(); ++i) {
      const RowRange rows = SegmentRows(static_cast<int64_t>(i));
      const double pixels =
          static_cast<double>(rows.end - rows.begin) * static_cast<double>(latent_.w);
      const double least_bytes = pixels * codec_.min_bits_per_pixel / 8 / 2 - 64;
      if (header_.segments[i].latent_bytes < least_bytes) {
        return Fail("{}: segment {} has {} bytes, too few for its {} x {} latents", file_.path(), i,
                    header_.segments[i].latent_bytes, rows.end - rows.begin, latent_.w);
      }
    }
    return {};
  }

  int64_t SegmentOf(int64_t latent_row) const {
    return std::min<int64_t>(latent_row / header_.latent_rows_per_segment,
                             static_cast<int64_t>(header_.segments.size()) - 1);
  }

  // Latent rows of a segment; those of padding belong to the last one.
  RowRange SegmentRows(int64_t segment) const {
    const int64_t rows = header_.latent_rows_per_segment;
    const bool last = segment + 1 == static_cast<int64_t>(header_.segments.size());
    return {segment * rows, last ? latent_.h : (segment + 1) * rows};
  }

  Result<DecodedSegment> DecodeSegment(int64_t segment) const {
    const SegmentEntry& entry = header_.segments[static_cast<size_t>(segment)];
    const RowRange rows = SegmentRows(segment);
    const std::string place =
        fmt::format("{}: segment {} of {} (latent rows {} to {}, from byte {})", file_.path(),
                    segment, header_.segments.size(), rows.begin, rows.end - 1, entry.offset_bytes);
    std::vector<uint8_t> bytes(uint64_t{entry.latent_bytes} + entry.alpha_bytes);
    LICHEN_TRY_VOID(file_.ReadAt(entry.offset_bytes, bytes));
    if (HashBytes(bytes) != entry.hash) return Fail("{} is damaged: wrong checksum", place);
    DecodedSegment decoded;
    const ImageInfo& info = header_.info;
    if (info.HasAlpha()) {
      const int64_t first = rows.begin * codec_.downscale;
      const int64_t end =
          std::min((segment + 1) * header_.latent_rows_per_segment * codec_.downscale, info.height);
      LICHEN_TRY(decoded.alpha,
                 InPlace(place, DecodeAlpha(std::span(bytes).first(entry.alpha_bytes), info.width,
                                            end - first, info.bit_depth)));
    } else if (entry.alpha_bytes != 0) {
      return Fail("{} has alpha, the picture has none", place);
    }
    decoded.symbols.resize(
        static_cast<size_t>((rows.end - rows.begin) * latent_.w * codec_.latent_channels));
    LICHEN_TRY_VOID(
        InPlace(place, DecodeSymbols(codec_.tables, std::span(bytes).subspan(entry.alpha_bytes),
                                     TableIndices::PerChannel(), decoded.symbols)));
    return decoded;
  }

  // Makes sure that a segment is decoded; decodes ahead, one segment per thread.
  Result<const DecodedSegment*> Segment(int64_t segment) {
    if (const auto found = segments_.find(segment); found != segments_.end()) {
      return &found->second;
    }
    const int64_t count = std::min<int64_t>(threads_.count(), last_segment_ - segment + 1);
    std::vector<std::optional<Result<DecodedSegment>>> results(static_cast<size_t>(count));
    threads_.For(count, [&](int64_t i) {
      if (!segments_.contains(segment + i)) {
        results[static_cast<size_t>(i)] = DecodeSegment(segment + i);
      }
    });
    for (int64_t i = 0; i < count; ++i) {
      auto& result = results[static_cast<size_t>(i)];
      if (!result) continue;
      LICHEN_TRY(segments_[segment + i], std::move(*result));
    }
    return &segments_[segment];
  }

  Result<void> Source(int64_t y, std::span<int32_t> row) {
    const int64_t segment = SegmentOf(y);
    LICHEN_TRY(const DecodedSegment* decoded, Segment(segment));
    const int16_t* symbols = decoded->symbols.data() +
                             (y - SegmentRows(segment).begin) * latent_.w * codec_.latent_channels;
    for (size_t i = 0; i < row.size(); ++i) {
      row[i] = symbols[i] * (1 << codec_.coding.latent_shift);
    }
    // Segments whose latents have been read; their alpha may still be waited for.
    if (!header_.info.HasAlpha()) segments_.erase(segments_.begin(), segments_.find(segment));
    return {};
  }

  Result<void> Sink(int64_t y, std::span<const int32_t> row) {
    const ImageInfo& info = header_.info;
    const size_t model_channels = static_cast<size_t>(codec_.picture_channels);
    const size_t channels = static_cast<size_t>(info.channels);
    const size_t colours = static_cast<size_t>(info.ColourChannels());
    const size_t width = static_cast<size_t>(crop_.width);
    const int32_t* in = row.data() + static_cast<size_t>(crop_.x) * model_channels;
    for (size_t x = 0; x < width; ++x, in += model_channels) {
      if (colours == model_channels) {
        for (size_t c = 0; c < colours; ++c) {
          out_row_[x * channels + c] = lut_[static_cast<size_t>(in[c])];
        }
      } else {
        const uint32_t sum = uint32_t{lut_[static_cast<size_t>(in[0])]} +
                             lut_[static_cast<size_t>(in[1])] + lut_[static_cast<size_t>(in[2])];
        out_row_[x * channels] = static_cast<uint16_t>((sum + 1) / 3);
      }
    }
    if (info.HasAlpha()) LICHEN_TRY_VOID(AddAlpha(y));
    if (options_.progress && y % 64 == 0) options_.progress(y - crop_.y, crop_.height);
    return sink_.row(y - crop_.y, out_row_);
  }

  Result<void> AddAlpha(int64_t y) {
    const int64_t segment = SegmentOf(y / codec_.downscale);
    LICHEN_TRY(const DecodedSegment* decoded, Segment(segment));
    const size_t channels = static_cast<size_t>(header_.info.channels);
    const uint16_t* alpha =
        decoded->alpha.data() +
        (y - SegmentRows(segment).begin * codec_.downscale) * header_.info.width + crop_.x;
    for (size_t x = 0; x < static_cast<size_t>(crop_.width); ++x) {
      out_row_[x * channels + channels - 1] = alpha[x];
    }
    segments_.erase(segments_.begin(), segments_.find(segment));
    return {};
  }

  const Codec::Impl& codec_;
  const InputFile& file_;
  const DecodeOptions& options_;
  const ImageSink& sink_;
  const Threads& threads_;
  LicHeader header_;
  Crop crop_;
  Size2 latent_;
  int64_t last_segment_ = 0;
  std::vector<uint16_t> lut_;
  std::map<int64_t, DecodedSegment> segments_;
  std::vector<uint16_t> out_row_;
};

}  // namespace

Result<void> DecodeImage(const Codec& codec, const InputFile& file, const DecodeOptions& options,
                         const ImageSink& sink, const Threads& threads) {
  return Decoder(codec.impl(), file, options, sink, threads).Run();
}

Result<void> DecodeFile(const Codec& codec, const std::filesystem::path& input,
                        const std::filesystem::path& output, const DecodeOptions& options,
                        const Threads& threads) {
  LICHEN_TRY(const InputFile file, InputFile::Open(input));
  std::unique_ptr<ImageWriter> writer;
  ImageSink sink;
  sink.begin = [&](const ImageInfo& info) -> Result<void> {
    LICHEN_TRY(writer, CreateImageWriter(output, info));
    return {};
  };
  sink.row = [&](int64_t, std::span<const uint16_t> samples) { return writer->WriteRow(samples); };
  LICHEN_TRY_VOID(DecodeImage(codec, file, options, sink, threads));
  return writer->Finish();
}

}  // namespace lichen

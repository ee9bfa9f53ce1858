#include <utility>

#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "codec/latent_writer.h"

namespace lichen {

Result<Tensor<int32_t>> AnalyseElsewhere(const EncodeParts& parts) {
  const Codec::Impl& codec = parts.codec;
  const Size2 padded = codec.PaddedSize(parts.info);
  Tensor<int32_t> picture({1, padded.h, padded.w, codec.picture_channels});
  const auto row_values = static_cast<size_t>(padded.w * codec.picture_channels);
  for (int64_t y = 0; y < padded.h; ++y) {
    LICHEN_TRY_VOID(parts.input.ReadRow(y, {picture.view().Row(0, y), row_values}));
  }
  LICHEN_TRY(Tensor<int32_t> latents, parts.analysis(picture));
  const Size2 size = parts.layout.latent_size();
  if (latents.shape() != Shape{1, size.h, size.w, codec.latent_channels}) {
    const Shape& made = latents.shape();
    return Fail("the analysis gave {}x{}x{} latents instead of {}x{}x{}", made.h, made.w, made.c,
                size.h, size.w, codec.latent_channels);
  }
  for (const int32_t v : latents.span()) {
    if (v < codec.latent_range.min || v > codec.latent_range.max) {
      return Fail("the analysis gave the latent {}, outside of {} to {}", v, codec.latent_range.min,
                  codec.latent_range.max);
    }
  }
  return latents;
}

Result<EncodeStats> EncodeImage(const Codec& codec, ImageReader& reader, OutputFile& out,
                                const EncodeOptions& options, const Threads& threads) {
  if (options.latent_rows_per_segment < 0 || options.latent_rows_per_segment > 65535) {
    return FailUsage(
        "{} latent rows per segment: 1 to 65535 are possible, or 0 for what suits the model",
        options.latent_rows_per_segment);
  }
  const Codec::Impl& impl = codec.impl();
  const ImageInfo info = reader.info();
  if (info.ColourChannels() > impl.picture_channels) {
    return Fail("the model codes grey pictures only; the input is {}", Describe(info));
  }
  LICHEN_TRY_VOID(impl.CheckSizes(info));
  // What an analysis elsewhere leaves over is prepared when it is first used.
  if (!options.analysis) impl.Prepare(true, threads);
  const int64_t segment_rows = options.latent_rows_per_segment > 0 ? options.latent_rows_per_segment
                                                                   : impl.DefaultSegmentRows(info);
  const SegmentLayout layout(impl, info, segment_rows);
  PictureSource input(impl, reader, layout, options.progress, threads);
  SegmentWriter writer(impl, info, options, segment_rows, layout, out);
  const EncodeParts parts{impl, info, layout, input, writer, threads, options.analysis};
  LICHEN_TRY(const int64_t saturated,
             impl.hyper ? EncodeWithContext(parts) : EncodeFactorised(parts));
  LICHEN_TRY_VOID(input.Finish());
  LICHEN_TRY(EncodeStats stats, writer.Finish());
  stats.saturated_latents = saturated;
  return stats;
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

#include <utility>

#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "codec/latent_writer.h"

namespace lichen {

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
  impl.Prepare(true, threads);
  const int64_t segment_rows = options.latent_rows_per_segment > 0 ? options.latent_rows_per_segment
                                                                   : impl.DefaultSegmentRows(info);
  const SegmentLayout layout(impl, info, segment_rows);
  PictureSource input(impl, reader, layout, options.progress, threads);
  SegmentWriter writer(impl, info, options, segment_rows, layout, out);
  const EncodeParts parts{impl, info, layout, input, writer, threads};
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

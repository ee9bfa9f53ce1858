#include <optional>
#include <utility>
#include <vector>

#include "codec/codec.h"
#include "codec/codec_impl.h"
#include "codec/latent_reader.h"
#include "codec/picture_output.h"
#include "codec/segment_reader.h"

namespace lichen {
namespace {

class Decoder {
 public:
  Decoder(const Codec::Impl& codec, const InputFile& file, const DecodeOptions& options,
          const ImageSink& sink, const Threads& threads)
      : codec_(codec), file_(file), options_(options), sink_(sink), threads_(threads) {}

  Result<void> Run() {
    LICHEN_TRY(header_, ReadHeader(file_));
    codec_.Prepare(false, threads_);
    LICHEN_TRY_VOID(CheckHeader());
    const ImageInfo& info = header_.info;
    LICHEN_TRY_VOID(InPlace(file_.path(), codec_.CheckSizes(info)));
    const SegmentReader& segments = segments_.emplace(codec_, file_, header_);
    LICHEN_TRY_VOID(segments.CheckSizes());
    crop_ = options_.crop.value_or(Crop{0, 0, info.width, info.height});
    RunOptions run{.input_sizes = {segments.layout().latent_size()},
                   .reference = codec_.PaddedSize(info),
                   .output_rows = {crop_.y, crop_.y + crop_.height}};
    LICHEN_TRY(const std::vector<RowRange> needed, NeededInputRows(codec_.synthesis.graph(), run));
    if (codec_.hyper) {
      LICHEN_TRY(latents_, MakeContextReader(codec_, info, segments, needed[0], threads_));
    } else {
      latents_ = MakeFactorisedReader(codec_, segments, needed[0], threads_);
    }
    lut_ = OutputLut(codec_.output_range.max, info.MaxSample());
    GraphRows rows;
    rows.source = [this](size_t, int64_t y, std::span<int32_t> row) {
      return latents_->ReadRow(y, row);
    };
    rows.sink = [this](size_t, int64_t y, std::span<const int32_t> row) { return Sink(y, row); };
    // Everything that can fail without the segments' bytes fails before the output begins.
    LICHEN_TRY(GraphStream stream, GraphStream::Create(codec_.synthesis.compiled(), std::move(run),
                                                       std::move(rows), threads_));
    ImageInfo out = info;
    out.height = crop_.height;
    out.width = crop_.width;
    LICHEN_TRY_VOID(sink_.begin(out));
    PictureOutput output(info, segments, crop_, sink_, threads_);
    output_ = &output;
    LICHEN_TRY_VOID(stream.AdvanceTo(stream.row_count()));
    return output.Finish();
  }

 private:
  Result<void> CheckHeader() const {
    const std::string& path = file_.path();
    if (header_.model_identity != codec_.Identity()) {
      return Fail(
          "{}: byte 20: was encoded with model {}, the given model is {}; name the right "
          "one with --model",
          path, ToHex(header_.model_identity).substr(0, 16),
          ToHex(codec_.Identity()).substr(0, 16));
    }
    if (header_.has_hyper != (codec_.hyper != nullptr)) {
      return Fail("{}: byte 4: version {} does not fit the model", path, header_.has_hyper ? 2 : 1);
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

  Result<void> Sink(int64_t y, std::span<const int32_t> row) {
    const ImageInfo& info = header_.info;
    const size_t model_channels = static_cast<size_t>(codec_.picture_channels);
    const size_t channels = static_cast<size_t>(info.channels);
    const size_t colours = static_cast<size_t>(info.ColourChannels());
    const size_t width = static_cast<size_t>(crop_.width);
    const std::span<uint16_t> out = output_->NextRow();
    const int32_t* in = row.data() + static_cast<size_t>(crop_.x) * model_channels;
    for (size_t x = 0; x < width; ++x, in += model_channels) {
      if (colours == model_channels) {
        for (size_t c = 0; c < colours; ++c) {
          out[x * channels + c] = lut_[static_cast<size_t>(in[c])];
        }
      } else {
        const uint32_t sum = uint32_t{lut_[static_cast<size_t>(in[0])]} +
                             lut_[static_cast<size_t>(in[1])] + lut_[static_cast<size_t>(in[2])];
        out[x * channels] = static_cast<uint16_t>((sum + 1) / 3);
      }
    }
    if (options_.progress && y % 64 == 0) options_.progress(y - crop_.y, crop_.height);
    return output_->RowDone();
  }

  const Codec::Impl& codec_;
  const InputFile& file_;
  const DecodeOptions& options_;
  const ImageSink& sink_;
  const Threads& threads_;
  LicHeader header_;
  std::optional<SegmentReader> segments_;
  Crop crop_;
  std::vector<uint16_t> lut_;
  std::unique_ptr<LatentReader> latents_;
  PictureOutput* output_ = nullptr;
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

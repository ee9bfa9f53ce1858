// lichen decode: a .lic bitstream -> a picture.
#include <charconv>
#include <chrono>

#include "apps/command.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "codec/codec.h"
#include "codec/container.h"
#include "kernels/cpu_target.h"

namespace lichen {
namespace {

struct Options {
  std::string input;
  std::string output;
  std::string model;
  std::string crop;
};

// "X,Y,WIDTH,HEIGHT" in pixels.
Result<Crop> ParseCrop(const std::string& text) {
  int64_t values[4] = {};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (int i = 0; i < 4; ++i) {
    const auto [next, error] = std::from_chars(at, end, values[i]);
    const bool is_last = i == 3;
    if (error != std::errc() || (is_last ? next != end : next == end || *next != ',')) {
      return FailUsage("--crop {}: write X,Y,WIDTH,HEIGHT in pixels", text);
    }
    at = next + 1;
  }
  return Crop{values[0], values[1], values[2], values[3]};
}

Result<Exit> RunDecode(const Options& options, const CommonOptions& common) {
  DecodeOptions decode;
  if (!options.crop.empty()) {
    LICHEN_TRY(decode.crop, ParseCrop(options.crop));
  }
  const Threads threads(common.threads);
  LICHEN_TRY(const InputFile file, InputFile::Open(options.input));
  LICHEN_TRY(const LicHeader header, ReadHeader(file));
  LICHEN_TRY(const LoadedCodec loaded,
             LoadCodecFor(options.model, header.model_identity, options.input, threads));
  const ImageInfo& info = header.info;
  const Crop crop = decode.crop.value_or(Crop{0, 0, info.width, info.height});
  const auto start = std::chrono::steady_clock::now();
  {
    ProgressLine progress("decoding");
    decode.progress = progress.Callback();
    LICHEN_TRY_VOID(DecodeFile(loaded.codec, options.input, options.output, decode, threads));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (info.metadata != Metadata{} && !HoldsMetadata(options.output)) {
    PrintNote(fmt::format("{}: this format holds no ICC profile or Exif; write .png to keep them",
                          options.output));
  }
  const double megapixels =
      static_cast<double>(crop.width) * static_cast<double>(crop.height) / 1e6;
  if (common.json) {
    PrintJson({{"input", options.input},
               {"output", options.output},
               {"model", loaded.path.string()},
               {"width", crop.width},
               {"height", crop.height},
               {"channels", info.channels},
               {"bit_depth", info.bit_depth},
               {"bytes", file.size_bytes()},
               {"seconds", seconds},
               {"mpx_per_second", megapixels / seconds},
               {"threads", threads.count()},
               {"cpu_target", ActiveCpuTarget()}});
    return Exit::kDone;
  }
  ImageInfo written = info;
  written.width = crop.width;
  written.height = crop.height;
  PrintText(common, "{}: {}, {:.2f} s ({:.1f} Mpx/s)\n", options.output, Describe(written), seconds,
            megapixels / seconds);
  return Exit::kDone;
}

}  // namespace

void AddDecodeCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "decode", "Restore the picture of a .lic bitstream",
                 [options](const CommonOptions& common) { return RunDecode(*options, common); });
  command->add_option("IN", options->input, "The .lic bitstream")->required();
  command->add_option("OUT", options->output, "The picture to write: .png, .ppm, .pgm, .pnm, .pam")
      ->required();
  command
      ->add_option(
          "--model", options->model,
          "The model that it was encoded with (default: the one of models/index.toml that it was)")
      ->type_name("M.lichen");
  command->add_option("--crop", options->crop, "Decode only this part")
      ->type_name("X,Y,WIDTH,HEIGHT");
}

}  // namespace lichen

// lichen encode: a picture -> a .lic bitstream.
#include <chrono>

#include "apps/command.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/hash.h"
#include "codec/codec.h"
#include "kernels/cpu_target.h"

namespace lichen {
namespace {

struct Options {
  std::string input;
  std::string output;
  std::string model;
  int64_t segment_rows = EncodeOptions{}.latent_rows_per_segment;
};

Result<Exit> RunEncode(const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const LoadedCodec loaded, LoadCodec(options.model));
  const Threads threads(common.threads);
  LICHEN_TRY(const ImageInfo info, ReadImageInfo(options.input));
  EncodeStats stats;
  const auto start = std::chrono::steady_clock::now();
  {
    ProgressLine progress("encoding");
    const EncodeOptions encode{.latent_rows_per_segment = options.segment_rows,
                               .measure_ideal = common.json,
                               .progress = progress.Callback()};
    LICHEN_TRY(stats, EncodeFile(loaded.codec, options.input, options.output, encode, threads));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double pixels = static_cast<double>(info.width) * static_cast<double>(info.height);
  const double bpp = 8 * static_cast<double>(stats.file_bytes) / pixels;
  if (common.json) {
    PrintJson({{"input", options.input},
               {"output", options.output},
               {"model", loaded.path.string()},
               {"model_identity", ToHex(loaded.codec.identity())},
               {"width", info.width},
               {"height", info.height},
               {"channels", info.channels},
               {"bit_depth", info.bit_depth},
               {"bytes", stats.file_bytes},
               {"bpp", bpp},
               {"latent_bytes", stats.latent_bytes},
               {"ideal_bits", stats.ideal_bits},
               {"symbols", stats.symbols},
               {"saturated_latents", stats.saturated_latents},
               {"seconds", seconds},
               {"mpx_per_second", pixels / 1e6 / seconds},
               {"threads", threads.count()},
               {"cpu_target", ActiveCpuTarget()}});
    return Exit::kDone;
  }
  PrintText(common, "{}: {} -> {} bytes, {:.4f} bit per pixel, {:.2f} s ({:.1f} Mpx/s)\n",
            options.output, Describe(info), stats.file_bytes, bpp, seconds, pixels / 1e6 / seconds);
  return Exit::kDone;
}

}  // namespace

void AddEncodeCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "encode", "Compress a picture to a .lic bitstream",
                 [options](const CommonOptions& common) { return RunEncode(*options, common); });
  command->add_option("IN", options->input, "PNG, JPEG, PGM, PPM or PAM")->required();
  command->add_option("OUT", options->output, "The bitstream to write")->required();
  command
      ->add_option("--model", options->model, "The codec's model (default: models/default.lichen)")
      ->type_name("M.lichen");
  command
      ->add_option("--segment-rows", options->segment_rows,
                   "Latent rows that decode independently: fewer for cheaper crops and more "
                   "threads, more for smaller files")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
}

}  // namespace lichen

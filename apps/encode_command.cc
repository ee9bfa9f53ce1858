// lichen encode: a picture -> a .lic bitstream.
#include <chrono>
#include <cmath>
#include <optional>

#include "apps/command.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/hash.h"
#include "codec/codec.h"
#include "flow/model_search.h"
#include "kernels/cpu_target.h"

namespace lichen {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string input;
  std::string output;
  std::string model;
  std::string family;
  std::optional<int> quality;
  std::optional<double> bpp;
  std::optional<double> psnr_db;
  int64_t segment_rows = EncodeOptions{}.latent_rows_per_segment;
};

// What was written, with which model, and how it was chosen.
struct Encoded {
  std::filesystem::path model;
  Sha256Digest identity{};
  EncodeStats stats;
  Json choice = Json::object();  // of --quality, --bpp and --psnr
  std::string warning;           // where a target is not met
};

Result<Encoded> EncodeWith(const LoadedCodec& loaded, const Options& options,
                           const EncodeOptions& encode, const Threads& threads) {
  Encoded encoded{.model = loaded.path, .identity = loaded.codec.identity()};
  LICHEN_TRY(encoded.stats,
             EncodeFile(loaded.codec, options.input, options.output, encode, threads));
  return encoded;
}

std::string Warning(const ModelTrial& trial, const EncodeTarget& target, size_t models) {
  const std::string among = models == 1 ? "the only model" : "the nearest of the models";
  if (target.kind == EncodeTarget::Kind::kBpp) {
    return fmt::format("{} needs {:.4f} bit per pixel, more than the {:g} asked for", among,
                       trial.bpp, target.value);
  }
  return fmt::format("{} reaches {:.3f} dB, less than the {:g} asked for", among, trial.psnr_db,
                     target.value);
}

Result<Encoded> EncodeSearching(const DefaultModels& models, const std::vector<ModelEntry>& family,
                                const EncodeTarget& target, const Options& options,
                                const EncodeOptions& encode, const Threads& threads) {
  std::vector<Sha256Digest> identities(family.size());
  const auto load = [&](size_t i) -> Result<Codec> {
    LICHEN_TRY(LoadedCodec loaded, LoadCodec((models.folder / family[i].file).string(), threads));
    identities[i] = loaded.codec.identity();
    return std::move(loaded.codec);
  };
  LICHEN_TRY(const ModelSearch search, EncodeToTarget(family.size(), load, options.input,
                                                      options.output, target, encode, threads));
  const ModelTrial& chosen = search.trials[search.chosen];
  Encoded encoded{.model = models.folder / family[chosen.model].file,
                  .identity = identities[chosen.model],
                  .stats = chosen.stats};
  const bool is_bpp = target.kind == EncodeTarget::Kind::kBpp;
  encoded.choice = {{is_bpp ? "target_bpp" : "target_psnr_db", target.value},
                    {"is_met", search.is_met},
                    {"model_name", family[chosen.model].name},
                    {"trials", Json::array()}};
  for (const ModelTrial& trial : search.trials) {
    Json json = {{"model_name", family[trial.model].name}, {"bpp", trial.bpp}};
    if (!is_bpp) json["psnr_db"] = std::isfinite(trial.psnr_db) ? Json(trial.psnr_db) : Json();
    encoded.choice["trials"].push_back(std::move(json));
  }
  if (!search.is_met) encoded.warning = Warning(chosen, target, family.size());
  return encoded;
}

Result<Encoded> Encode(const Options& options, const EncodeOptions& encode,
                       const Threads& threads) {
  if (!options.quality && !options.bpp && !options.psnr_db && options.family.empty()) {
    LICHEN_TRY(const LoadedCodec loaded, LoadCodec(options.model, threads));
    return EncodeWith(loaded, options, encode, threads);
  }
  LICHEN_TRY(const DefaultModels models, FindDefaultModels());
  LICHEN_TRY(const std::vector<ModelEntry> family, models.Family(options.family));
  if (options.bpp || options.psnr_db) {
    using Kind = EncodeTarget::Kind;
    const EncodeTarget target = options.bpp ? EncodeTarget{Kind::kBpp, *options.bpp}
                                            : EncodeTarget{Kind::kPsnr, *options.psnr_db};
    return EncodeSearching(models, family, target, options, encode, threads);
  }
  const ModelEntry& entry = family[ModelForQuality(family, options.quality.value_or(50))];
  LICHEN_TRY(const LoadedCodec loaded, LoadCodec((models.folder / entry.file).string(), threads));
  LICHEN_TRY(Encoded encoded, EncodeWith(loaded, options, encode, threads));
  encoded.choice = {{"quality", options.quality.value_or(50)}, {"model_name", entry.name}};
  return encoded;
}

Result<Exit> RunEncode(const Options& options, const CommonOptions& common) {
  const Threads threads(common.threads);
  LICHEN_TRY(const ImageInfo info, ReadImageInfo(options.input));
  Encoded encoded;
  const auto start = std::chrono::steady_clock::now();
  {
    ProgressLine progress("encoding");
    const EncodeOptions encode{.latent_rows_per_segment = options.segment_rows,
                               .measure_ideal = common.json,
                               .progress = progress.Callback()};
    LICHEN_TRY(encoded, Encode(options, encode, threads));
  }
  const EncodeStats& stats = encoded.stats;
  if (!encoded.warning.empty()) {
    PrintNote(fmt::format("{}: warning: {}", options.output, encoded.warning));
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double pixels = static_cast<double>(info.width) * static_cast<double>(info.height);
  const double bpp = 8 * static_cast<double>(stats.file_bytes) / pixels;
  if (common.json) {
    Json json = {{"input", options.input},
                 {"output", options.output},
                 {"model", encoded.model.string()},
                 {"model_identity", ToHex(encoded.identity)},
                 {"width", info.width},
                 {"height", info.height},
                 {"channels", info.channels},
                 {"bit_depth", info.bit_depth},
                 {"bytes", stats.file_bytes},
                 {"bpp", bpp},
                 {"latent_bytes", stats.latent_bytes},
                 {"hyper_bytes", stats.hyper_bytes},
                 {"ideal_bits", stats.ideal_bits},
                 {"symbols", stats.symbols},
                 {"saturated_latents", stats.saturated_latents},
                 {"seconds", seconds},
                 {"mpx_per_second", pixels / 1e6 / seconds},
                 {"threads", threads.count()},
                 {"cpu_target", ActiveCpuTarget()}};
    json.update(encoded.choice);
    if (!encoded.warning.empty()) json["warning"] = encoded.warning;
    PrintJson(json);
    return Exit::kDone;
  }
  const std::string with =
      encoded.choice.empty() ? "" : fmt::format(" with {}", encoded.model.filename().string());
  PrintText(common, "{}: {} -> {} bytes{}, {:.4f} bit per pixel, {:.2f} s ({:.1f} Mpx/s)\n",
            options.output, Describe(info), stats.file_bytes, with, bpp, seconds,
            pixels / 1e6 / seconds);
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
  CLI::Option* model =
      command
          ->add_option("--model", options->model,
                       "The codec's model (default: the default of models/index.toml)")
          ->type_name("M.lichen");
  CLI::Option* quality = command->add_option("--quality", options->quality,
                                             "1 (smallest files) to 100 (best) picks a model of "
                                             "the family by its place");
  quality->check(CLI::Range(1, 100))->excludes(model);
  CLI::Option* bpp =
      command->add_option("--bpp", options->bpp,
                          "Pick the model of the largest file of at most this many bits a pixel");
  bpp->check(CLI::PositiveNumber)->excludes(model)->excludes(quality);
  CLI::Option* psnr =
      command->add_option("--psnr", options->psnr_db,
                          "Pick the model of the smallest file of at least this PSNR in dB");
  psnr->check(CLI::PositiveNumber)->excludes(model)->excludes(quality)->excludes(bpp);
  command
      ->add_option("--family", options->family,
                   "Pick among the models of this family (default: the default model's)")
      ->excludes(model);
  command
      ->add_option("--segment-rows", options->segment_rows,
                   "Latent rows that decode independently: fewer for cheaper crops and more "
                   "threads, more for smaller files; 0: what suits the model")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
}

}  // namespace lichen

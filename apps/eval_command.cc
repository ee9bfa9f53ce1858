// lichen eval: models on a folder of pictures.
#include <filesystem>
#include <system_error>

#include "apps/eval.h"
#include "codec/codec.h"

namespace lichen {

namespace {

// `--model A B DIR` reads the folder as one more model; a folder is none.
Result<void> TakeFolder(EvalOptions& options) {
  for (auto it = options.models.begin(); options.folder.empty() && it != options.models.end();) {
    std::error_code error;
    const bool is_folder = std::filesystem::is_directory(*it, error);
    if (is_folder) options.folder = *it;
    it = is_folder ? options.models.erase(it) : it + 1;
  }
  if (options.folder.empty()) return FailUsage("eval needs DIR, a folder of pictures");
  return {};
}

Result<Exit> RunEval(EvalOptions options, const CommonOptions& common) {
  LICHEN_TRY_VOID(TakeFolder(options));
  if (options.task == "classify") return EvalClassify(options, common);
  return options.task == "detect" ? EvalDetect(options, common) : EvalCodec(options, common);
}

}  // namespace

void AddEvalCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<EvalOptions>();
  options->segment_rows = EncodeOptions{}.latent_rows_per_segment;
  CLI::App* command =
      AddCommand(app, invocation, "eval", "Score models on a folder of pictures",
                 [options](const CommonOptions& common) { return RunEval(*options, common); });
  command->add_option("DIR", options->folder, "Folder of pictures; what is no picture is skipped");
  command
      ->add_option("--model", options->models,
                   "A model to score; repeatable (default: models/default.lichen)")
      ->type_name("M.lichen");
  command->add_option("--task", options->task, "codec, classify (MNIST or CIFAR-10) or detect")
      ->check(CLI::IsMember({"codec", "classify", "detect"}))
      ->capture_default_str();
  command
      ->add_option("--plan", options->plans,
                   "classify: plans of the fusion machine, whose simulation answers (fast values)")
      ->type_name("P.plan");
  command->add_option("--csv", options->csv, "Also write a line per picture and model")
      ->type_name("FILE");
  command->add_option("--plot", options->plot, "codec: also draw rate and distortion")
      ->type_name("FILE.svg");
  command
      ->add_option("--rd-curves", options->rd_curves,
                   "codec: published curves to compare with, {\"name\": [[bpp, psnr], ...]} "
                   "(default: ../shared/rd/all_kodak_psnr_curves.json where present)")
      ->type_name("FILE.json");
  command
      ->add_option("--tables", options->tables,
                   "codec: integer model whose tables code the rounded latents of float models "
                   "(default: the first integer --model)")
      ->type_name("INT.lichen");
  command->add_option("--keep", options->keep, "codec: leave the encoded files in this folder")
      ->type_name("DIR");
  command->add_option("--segment-rows", options->segment_rows, "codec: as of lichen encode")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  command
      ->add_option(
          "--labels", options->labels,
          "detect: CSV with columns file, xmin, xmax, ymin, ymax in pixels (default: DIR is a "
          "labelled folder, as for lichen train)")
      ->type_name("CSV");
}

}  // namespace lichen

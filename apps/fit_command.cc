// lichen fit: a small codec without training, from pictures alone.
#include "apps/command.h"
#include "net/model_file.h"
#include "quant/klt.h"

namespace lichen {
namespace {

struct Options {
  std::string calibration;
  std::string output;
  KltOptions klt;
};

Result<Exit> RunFit(const Options& o, const CommonOptions& common) {
  const Threads threads(common.threads);
  LICHEN_TRY(const Calibration calibration, LoadCalibration(o.calibration, {}, threads));
  LICHEN_TRY(const FloatNet net, FitKlt(calibration, o.klt));
  LICHEN_TRY_VOID(SaveModel(o.output, Model(net)));
  if (common.json) {
    PrintJson({{"output", o.output},
               {"pictures", calibration.pictures.size()},
               {"skipped", calibration.skipped.size()},
               {"block", o.klt.block},
               {"channels", o.klt.channels},
               {"step", o.klt.step}});
    return Exit::kDone;
  }
  PrintText(common,
            "{}: block KLT of {}x{} pixels, {} channels, step {}, fitted to {} pictures ({} files "
            "were no picture)\n",
            o.output, o.klt.block, o.klt.block, o.klt.channels, o.klt.step,
            calibration.pictures.size(), calibration.skipped.size());
  return Exit::kDone;
}

}  // namespace

void AddFitCommand(CLI::App& app, Invocation& invocation) {
  const auto o = std::make_shared<Options>();
  CLI::App* command = AddCommand(app, invocation, "fit",
                                 "Fit a small block-transform codec to pictures, without training",
                                 [o](const CommonOptions& common) { return RunFit(*o, common); });
  command->add_option("--calib", o->calibration, "Folder of pictures")->required();
  command->add_option("-o,--output", o->output, "The float model to write")->required();
  command->add_option("--block", o->klt.block, "Side of the blocks in pixels")
      ->check(CLI::Range(2, 16))
      ->capture_default_str();
  command->add_option("--channels", o->klt.channels, "Components that are kept, of 3 * block^2")
      ->capture_default_str();
  command->add_option("--step", o->klt.step, "Quantiser step in units of an 8-bit sample")
      ->capture_default_str();
}

}  // namespace lichen

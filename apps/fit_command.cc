// lichen fit: probability tables for an integer codec, or a small codec without training; from
// pictures alone.
#include <cmath>

#include "apps/command.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/hash.h"
#include "flow/fit_tables.h"
#include "net/identity.h"
#include "net/model_file.h"
#include "quant/klt.h"

namespace lichen {
namespace {

struct Options {
  std::string model;
  std::string calibration;
  std::string output;
  KltOptions klt;
  TableFitOptions tables;
  // Large enough that the context's borders do not weigh much.
  CalibrationOptions pictures{.crop_px = 768};
};

Result<Exit> FitKltCodec(const Options& o, const CommonOptions& common) {
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

Result<Exit> FitTables(const Options& o, const CommonOptions& common) {
  LICHEN_TRY(IntNet net, LoadIntNet(o.model));
  const Threads threads(common.threads);
  ProgressLine progress("reading pictures");
  LICHEN_TRY(const Calibration calibration, LoadCalibration(o.calibration, o.pictures, threads));
  progress.Stage("fitting probability tables");
  TableFitOptions tables = o.tables;
  tables.progress = progress.Callback();
  LICHEN_TRY(net.tables, InPlace(o.model, FitCodecTables(net, calibration, tables, threads)));
  LICHEN_TRY_VOID(SaveModel(o.output, Model(net)));
  const std::string identity = ToHex(ModelIdentity(net));
  if (common.json) {
    nlohmann::ordered_json json = {{"model", o.model},
                                   {"output", o.output},
                                   {"identity", identity},
                                   {"pictures", calibration.pictures.size()},
                                   {"skipped", calibration.skipped.size()},
                                   {"tables", nlohmann::ordered_json::array()}};
    for (const TableSet& set : net.tables) {
      json["tables"].push_back(
          {{"name", set.name}, {"count", set.tables.size()}, {"prob_bits", set.prob_bits}});
    }
    PrintJson(json);
    return Exit::kDone;
  }
  for (const TableSet& set : net.tables) {
    PrintText(common, "tables {}: {} of {} bits\n", set.name, set.tables.size(), set.prob_bits);
  }
  PrintText(common, "{}: identity {}, fitted to {} pictures ({} files were no picture)\n", o.output,
            identity.substr(0, 16), calibration.pictures.size(), calibration.skipped.size());
  return Exit::kDone;
}

Result<Exit> RunFit(const Options& o, const CommonOptions& common) {
  return o.model.empty() ? FitKltCodec(o, common) : FitTables(o, common);
}

}  // namespace

void AddFitCommand(CLI::App& app, Invocation& invocation) {
  const auto o = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "fit",
                 "Fit the probability tables of an integer codec to pictures; or, without MODEL, a "
                 "small block-transform codec",
                 [o](const CommonOptions& common) { return RunFit(*o, common); });
  CLI::Option* model =
      command->add_option("MODEL", o->model, "The integer codec that gets new tables");
  command->add_option("--calib", o->calibration, "Folder of pictures")->required();
  command->add_option("-o,--output", o->output, "The model to write")->required();
  command
      ->add_flag("--gaussian", o->tables.gaussian,
                 "With a row context: tables of the latents are Gaussians, not fitted")
      ->needs(model);
  command
      ->add_option(
          "--prior", o->tables.prior_count,
          "With a row context: the symbols that the Gaussian of an index stands for beside "
          "those counted")
      ->check(CLI::PositiveNumber)
      ->needs(model)
      ->capture_default_str();
  command->add_option("--prob-bits", o->tables.prob_bits, "Resolution of the tables")
      ->check(CLI::Range(12, 16))
      ->needs(model)
      ->capture_default_str();
  command
      ->add_option("--max-pictures", o->pictures.max_pictures,
                   "Use at most so many pictures, at even distances in the order of names")
      ->check(CLI::PositiveNumber)
      ->needs(model)
      ->capture_default_str();
  const auto klt = [&](CLI::Option* option) { option->excludes(model)->capture_default_str(); };
  klt(command->add_option("--block", o->klt.block, "Codec: side of the blocks in pixels")
          ->check(CLI::Range(2, 16)));
  klt(command->add_option("--channels", o->klt.channels,
                          "Codec: components that are kept, of 3 * block^2"));
  klt(command->add_option("--step", o->klt.step,
                          "Codec: quantiser step in units of an 8-bit sample"));
}

}  // namespace lichen

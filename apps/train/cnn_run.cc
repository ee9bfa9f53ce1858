#include "apps/train/cnn_run.h"

#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "apps/progress_line.h"
#include "apps/train/clock_text.h"
#include "apps/train/search_report.h"
#include "base/files.h"
#include "train/cnn/cnn_trainer.h"
#include "train/cnn/scene_folder.h"

namespace lichen {
namespace {

nlohmann::ordered_json ToJson(const CnnTrainResult& r) {
  nlohmann::ordered_json object = {
      {"step", r.last.step},        {"steps", r.last.steps},
      {"is_stopped", r.is_stopped}, {"first_step", r.first_step},
      {"data", r.source},           {"pictures", r.picture_count},
      {"loss", r.last.loss},        {"training_" + r.score_name, r.last.score}};
  if (!r.is_stopped) {
    object["test_" + r.score_name] = r.test_score;
    object["test_pictures"] = r.test_count;
  }
  object["checkpoint"] = r.checkpoint.string();
  if (!r.model.empty()) object["model"] = r.model.string();
  return object;
}

void PrintText(const CnnTrainResult& r) {
  fmt::print("{} of {} steps on {} pictures ({}): loss {:.4f}, {} {:.4f} in training\n",
             r.last.step, r.last.steps, r.picture_count, r.source, r.last.loss, r.score_name,
             r.last.score);
  if (!r.is_stopped) {
    fmt::print("{} {:.4f} on {} test pictures\n", r.score_name, r.test_score, r.test_count);
  }
  fmt::print("checkpoint {}\n", r.checkpoint.string());
  if (!r.model.empty()) fmt::print("network {}\n", r.model.string());
}

// What a search prints and draws beside that.
Result<void> FinishSearch(const TrainArguments& o, const CnnRecipe& recipe,
                          const CnnDefinition& net, const CnnTrainResult& r,
                          const HardwareModel& hardware, bool json) {
  if (!o.plot.empty()) {
    LICHEN_TRY(const std::string svg,
               SearchPlot(recipe.output / "log.jsonl", "Widths of " + net.name, r.score_name));
    LICHEN_TRY_VOID(WriteFile(o.plot, std::string_view(svg)));
  }
  if (json) {
    nlohmann::ordered_json object = ToJson(r);
    object["cost"] = r.last.cost;
    object.update(CostJson(net, {r.choice, r.shares}, hardware, recipe.search.board));
    fmt::print("{}\n", object.dump(2));
    return {};
  }
  PrintText(r);
  std::string command =
      fmt::format("lichen train {} --bitw {} --bita {}", o.recipe, BitString(r.choice.weight_bits),
                  BitString(r.choice.activation_bits));
  if (!o.data_folder.empty()) command += " --data " + o.data_folder;
  if (!o.output.empty()) command += " -o " + o.output;
  if (o.seed) command += fmt::format(" --seed {}", *o.seed);
  fmt::print("{}{}\n", CostTable(net, {r.choice, r.shares}, hardware, recipe.search.board),
             command);
  return {};
}

// What given widths cost.
Result<void> PrintCost(const TrainArguments& o, const CnnRecipe& recipe, const CnnDefinition& net,
                       const HardwareModel& hardware, bool json) {
  ChosenWidths chosen = {.widths = recipe.precision, .shares = {}};
  LICHEN_TRY(chosen.widths.weight_bits,
             InPlace("--bitw", ParseBits(o.weight_bits, net.layers.size())));
  LICHEN_TRY(chosen.widths.activation_bits,
             InPlace("--bita", ParseBits(o.activation_bits, net.layers.size())));
  if (json) {
    fmt::print("{}\n", CostJson(net, chosen, hardware, recipe.search.board).dump(2));
  } else {
    fmt::print("{}", CostTable(net, chosen, hardware, recipe.search.board));
  }
  return {};
}

Result<void> RefuseCodecOptions(const TrainArguments& o) {
  const std::pair<const char*, bool> given[] = {{"--stage", !o.stage.empty()},
                                                {"--evaluate", !o.evaluated_folder.empty()},
                                                {"--processes", o.process_count != 1}};
  for (const auto& [option, is_given] : given) {
    if (is_given) return FailUsage("{} is for codecs; this recipe trains another network", option);
  }
  return {};
}

// --write-scenes: the recipe's made-up pictures, and no training.
Result<void> RunScenes(const TrainArguments& o, const CnnRecipe& recipe,
                       const ProgramOptions& program) {
  const Threads threads(program.threads);
  const int64_t count = o.scene_count > 0 ? o.scene_count : recipe.data.test_scenes;
  const Split split = o.are_training_scenes ? Split::kTraining : Split::kTest;
  {
    ProgressLine progress("reading photographs");
    LICHEN_TRY(const SceneSet scenes, InPlace(o.recipe, OpenScenes(recipe, threads)));
    progress.Stage("writing scenes");
    LICHEN_TRY_VOID(WriteScenes(scenes, split, count, o.scene_folder, threads,
                                [&](int64_t done) { progress.Update(done, count); }));
  }
  const char* kind = o.are_training_scenes ? "training" : "test";
  if (program.json) {
    const nlohmann::ordered_json object = {
        {"folder", o.scene_folder}, {"split", kind}, {"scenes", count}};
    fmt::print("{}\n", object.dump(2));
  } else {
    fmt::print("{}: {} {} scenes, images/ and labels.csv\n", o.scene_folder, count, kind);
  }
  return {};
}

}  // namespace

Result<bool> RunCnn(const TrainArguments& o, const ProgramOptions& program) {
  LICHEN_TRY_VOID(RefuseCodecOptions(o));
  const bool is_cost = o.is_search && !o.weight_bits.empty();
  LICHEN_TRY(CnnRecipe recipe,
             ReadCnnRecipe(o.recipe, {.data_folder = o.data_folder,
                                      .output = o.output,
                                      .seed = o.seed,
                                      .weight_bits = o.weight_bits,
                                      .activation_bits = o.activation_bits,
                                      .is_search = o.is_search,
                                      .needs_start = !is_cost && o.scene_folder.empty(),
                                      .needs_data = !is_cost}));
  if (!o.scene_folder.empty()) {
    LICHEN_TRY_VOID(RunScenes(o, recipe, program));
    return false;
  }
  LICHEN_TRY(const CnnDefinition net, FindCnn(recipe.model, recipe.width_factor));
  if (o.strength) {
    if (std::isnan(*o.strength)) return FailUsage("--strength: nan is no number");
    recipe.search.strength = *o.strength;
  }
  HardwareModel hardware;
  if (o.is_search) {
    LICHEN_TRY(const Board board,
               InPlace(o.recipe + ": search.board", LoadBoard(recipe.search.board)));
    hardware.budget = BudgetOf(board);
    LICHEN_TRY(const DspDevice device,
               InPlace(recipe.search.board + ": dsp_kind", ParseDspDevice(board.dsp_kind)));
    hardware.packing = BestPacking(recipe.precision.quantiser, device, hardware.budget);
    if (!o.factors.empty()) {
      LICHEN_TRY(hardware.packing, ReadPacking(o.factors, net));
    }
  }
  if (is_cost) {
    LICHEN_TRY_VOID(PrintCost(o, recipe, net, hardware, program.json));
    return false;
  }
  std::optional<CnnTrainResult> result;
  {
    ProgressLine progress("reading pictures");
    CnnTrainOptions options;
    options.is_resumed = o.is_resumed;
    options.is_restarted = o.is_restarted;
    options.device = o.device;
    options.threads = program.threads;
    options.stop = program.stop;
    options.hardware = hardware;
    options.on_progress = [&](const CnnProgress& p) {
      progress.Stage(
          fmt::format("step {}/{}  loss {:.4f}  score {:.4f}  {:.1f} pictures/s  {} left ", p.step,
                      p.steps, p.loss, p.score, p.pictures_per_second, ClockText(p.seconds_left)));
      progress.Update(p.step, p.steps);
    };
    LICHEN_TRY(result, TrainCnn(recipe, options));
  }
  if (o.is_search) {
    LICHEN_TRY_VOID(FinishSearch(o, recipe, net, *result, hardware, program.json));
  } else if (program.json) {
    fmt::print("{}\n", ToJson(*result).dump(2));
  } else {
    PrintText(*result);
  }
  if (result->is_stopped) {
    fmt::print(stderr, "lichen: stopped by a signal at step {}; --resume continues\n",
               result->last.step);
  }
  return result->is_stopped;
}

}  // namespace lichen

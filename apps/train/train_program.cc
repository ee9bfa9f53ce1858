// `lichen-train`: what `lichen train` starts.
#include <fmt/format.h>
#include <malloc.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <limits>
#include <nlohmann/json.hpp>

#include "apps/progress_line.h"
#include "apps/train/clock_text.h"
#include "apps/train/cnn_run.h"
#include "apps/train/train_options.h"
#include "base/huge_pages.h"
#include "train/cnn/definition.h"
#include "train/evaluate_checkpoint.h"
#include "train/recipe_file.h"
#include "train/trainer.h"

namespace lichen {
namespace {

constexpr int kDone = 0, kBadInput = 1, kUsage = 2, kInternal = 70;

std::atomic<bool> stop = false;

// The first signal asks for a checkpoint and the end; the second one ends at once.
void OnSignal(int signal) {
  stop = true;
  std::signal(signal, SIG_DFL);
}

struct Arguments : TrainArguments {
  bool json = false;
  int threads = 0;
};

std::string Line(const TrainProgress& p) {
  return fmt::format(
      "step {}/{}  loss {:.4f}  {:.4f} bpp  MSE {:.2f}  {:.2f} dB  {:.1f} pictures/s  {} left ",
      p.step, p.steps, p.loss, p.bpp, p.mse, p.psnr_db, p.pictures_per_second,
      ClockText(p.seconds_left));
}

void Print(const TrainResult& r, bool json) {
  std::vector<std::string> models;
  for (const auto& model : r.models) models.push_back(model.string());
  if (!json) {
    fmt::print(
        "{} of {} steps on {} pictures ({} files skipped): loss {:.4f}, {:.4f} bpp, {:.2f} dB\n",
        r.last.step, r.last.steps, r.picture_count, r.skipped.size(), r.last.loss, r.last.bpp,
        r.last.psnr_db);
    if (!r.checkpoint.empty()) fmt::print("checkpoint {}\n", r.checkpoint.string());
    for (const std::string& model : models) fmt::print("network {}\n", model);
    return;
  }
  nlohmann::ordered_json skipped = nlohmann::ordered_json::array();
  for (const auto& s : r.skipped) skipped.push_back({{"file", s.name}, {"reason", s.reason}});
  const nlohmann::ordered_json object = {{"step", r.last.step},
                                         {"steps", r.last.steps},
                                         {"is_stopped", r.is_stopped},
                                         {"first_step", r.first_step},
                                         {"loss", r.last.loss},
                                         {"bpp", r.last.bpp},
                                         {"mse", r.last.mse},
                                         {"psnr", r.last.psnr_db},
                                         {"pictures", r.picture_count},
                                         {"skipped", skipped},
                                         {"checkpoint", r.checkpoint.string()},
                                         {"models", models}};
  using Handler = nlohmann::ordered_json::error_handler_t;
  fmt::print("{}\n", object.dump(2, ' ', false, Handler::replace));
}

Result<TrainResult> RunStage(const Arguments& o, const Recipe& recipe, bool is_resumed,
                             ProcessGroup& group) {
  ProgressLine progress("reading pictures");
  TrainOptions options;
  options.is_resumed = is_resumed;
  options.is_restarted = o.is_restarted;
  options.device = o.device;
  options.threads = o.threads;
  options.on_progress = [&](const TrainProgress& p) {
    progress.Stage(recipe.stage.empty() ? Line(p) : recipe.stage + "  " + Line(p));
    progress.Update(p.step, p.steps);
  };
  options.on_note = [](const std::string& note) { fmt::print(stderr, "lichen: {}\n", note); };
  options.stop = &stop;
  options.group = &group;
  return Train(recipe, options);
}

// The stages asked for.
Result<std::vector<Recipe>> Stages(const Arguments& o) {
  LICHEN_TRY(
      std::vector<Recipe> stages,
      ReadRecipe(o.recipe, {.data_folder = o.data_folder, .output = o.output, .seed = o.seed}));
  std::erase_if(stages, [&](const Recipe& r) { return !o.stage.empty() && r.stage != o.stage; });
  if (stages.empty()) return FailUsage("--stage {}: the recipe has no such stage", o.stage);
  return stages;
}

Result<void> Evaluate(const Arguments& o) {
  LICHEN_TRY(const std::vector<Recipe> stages, Stages(o));
  nlohmann::ordered_json lines = nlohmann::ordered_json::array();
  for (const Recipe& stage : stages) {
    ProgressLine progress("evaluating " + stage.stage);
    EvaluateCheckpointOptions options;
    options.device = o.device;
    options.threads = o.threads;
    options.on_progress = [&](int64_t done, int64_t total) { progress.Update(done, total); };
    options.on_note = [](const std::string& note) { fmt::print(stderr, "lichen: {}\n", note); };
    LICHEN_TRY(const auto figures, EvaluateCheckpoint(stage, o.evaluated_folder, options));
    for (const RateFigures& f : figures) {
      lines.push_back(
          {{"stage", stage.stage}, {"lambda", f.lambda}, {"bpp", f.bpp}, {"psnr", f.psnr_db}});
      if (!o.json) {
        fmt::print("{:10} lambda {:<8g} {:.4f} bpp  {:.3f} dB\n", stage.stage, f.lambda, f.bpp,
                   f.psnr_db);
      }
    }
  }
  if (o.json) fmt::print("{}\n", lines.dump(2));
  return {};
}

// One stage after the other. Resuming begins with the first that has not ended.
Result<TrainResult> Run(const Arguments& o) {
  LICHEN_TRY(const std::vector<Recipe> stages, Stages(o));
  const ProcessGroupOptions joining = {
      .size = o.process_count, .rank = o.rank, .rendezvous = o.rendezvous};
  LICHEN_TRY_VOID(CheckOptions(joining));
  if (joining.size > 1) {
    fmt::print(stderr, "lichen: process {} of {} waits for the others at {}\n", joining.rank,
               joining.size, joining.rendezvous);
  }
  LICHEN_TRY(ProcessGroup group, ProcessGroup::Join(joining));
  std::optional<TrainResult> result;
  for (size_t i = 0; i < stages.size(); ++i) {
    bool is_resumed = o.is_resumed;
    if (is_resumed && stages.size() > 1) {
      std::error_code error;
      const bool has_begun = std::filesystem::exists(stages[i].output / "checkpoint.pt", error);
      is_resumed = has_begun || i == 0;
    }
    LICHEN_TRY(result, RunStage(o, stages[i], is_resumed, group));
    if (result->is_stopped) break;
  }
  return std::move(*result);
}

// Prints an error and gives the exit status.
int Report(const Error& error) {
  fmt::print(stderr, "lichen: {}\n", error.message);
  switch (error.kind) {
    case Error::Kind::kBadInput:
      return kBadInput;
    case Error::Kind::kUsage:
      return kUsage;
    case Error::Kind::kInternal:
      break;
  }
  return kInternal;
}

int Main(int argc, char** argv) {
  Arguments o;
  CLI::App app("Trains a network; `lichen train` starts this.", "lichen-train");
  AddTrainOptions(app, o);
  // What `lichen search` adds.
  app.add_flag("--search", o.is_search)->group("");
  app.add_option("--strength", o.strength)->group("");
  app.add_option("--factors", o.factors)->group("");
  app.add_option("--plot", o.plot)->group("");
  app.add_flag("--json", o.json, "Print one JSON object on standard output");
  app.add_option("--threads", o.threads, "Threads to use; 0: all")->check(CLI::Range(0, 1024));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kDone : kUsage;
  }
  std::signal(SIGINT, OnSignal);
  std::signal(SIGTERM, OnSignal);
  const Result<std::string> model = ModelOfRecipe(o.recipe);
  if (!model) return Report(model.error());
  if (IsCnn(*model)) {
    const Result<bool> is_stopped =
        RunCnn(o, {.json = o.json, .threads = o.threads, .stop = &stop});
    if (!is_stopped) return Report(is_stopped.error());
    return *is_stopped ? kBadInput : kDone;
  }
  if (o.is_search) {
    return Report({Error::Kind::kUsage, "a search needs a recipe of no codec"});
  }
  if (!o.weight_bits.empty() || !o.activation_bits.empty()) {
    return Report({Error::Kind::kUsage, "--bitw and --bita are not for codecs"});
  }
  if (!o.scene_folder.empty()) {
    return Report({Error::Kind::kUsage, "--write-scenes is not for codecs"});
  }
  if (!o.evaluated_folder.empty()) {
    const Result<void> evaluated = Evaluate(o);
    return evaluated ? kDone : Report(evaluated.error());
  }
  const Result<TrainResult> result = Run(o);
  if (!result) return Report(result.error());
  Print(*result, o.json);
  if (!result->is_stopped) return kDone;
  fmt::print(stderr, "lichen: stopped by a signal at step {}; --resume continues\n",
             result->last.step);
  return kBadInput;
}

}  // namespace
}  // namespace lichen

int main(int argc, char** argv) {
  // Activations of a step come and go: their page faults, each time anew, took a fifth of a step, those of small pages a tenth of
  // the rest.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  lichen::ReserveHeap(size_t{1} << 30);
  mallopt(M_TOP_PAD, 64 << 20);
  try {
    const int code = lichen::Main(argc, argv);
    if (std::fflush(stdout) == 0) return code;
    fmt::print(stderr, "lichen: standard output cannot be written\n");
    return 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "lichen: internal error: {}\n", error.what());
    return 70;
  }
}

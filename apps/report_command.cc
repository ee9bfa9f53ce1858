// lichen report: plots and tables of training runs.
#include <cmath>

#include "apps/command.h"
#include "base/files.h"
#include "report/training_report.h"

namespace lichen {
namespace {

struct Options {
  std::vector<std::string> logs;
  std::string output;
};

using Writer = std::string (*)(const std::vector<TrainingRun>& runs);

Result<Writer> WriterFor(const std::string& output) {
  const std::string ending = std::filesystem::path(output).extension().string();
  if (ending == ".svg") return TrainingSvg;
  if (ending == ".html" || ending == ".htm") return TrainingHtml;
  if (ending == ".md") return TrainingMarkdown;
  return FailUsage("{}: the name has to end in .html, .svg or .md", output);
}

// NaN has no place in JSON.
nlohmann::ordered_json Finite(double value) {
  if (!std::isfinite(value)) return nullptr;
  return value;
}

nlohmann::ordered_json ToJson(const TrainingRun& run) {
  nlohmann::ordered_json json = {{"log", run.name},
                                 {"model", run.RecipeValue("model")},
                                 {"device", run.device},
                                 {"lines", run.points.size()},
                                 {"has_ended", run.has_ended},
                                 {"resumes", run.resumes},
                                 {"checkpoints", run.checkpoints},
                                 {"pictures", run.pictures},
                                 {"skipped", run.skipped.size()},
                                 {"stages", nlohmann::ordered_json::array()},
                                 {"notes", run.notes}};
  for (const TrainingRun::Stage& stage : run.stages) {
    json["stages"].push_back({{"name", stage.name}, {"first_step", stage.first_step}});
  }
  if (run.points.empty()) return json;
  const TrainingPoint& last = run.points.back();
  json["last"] = {{"step", last.step}, {"loss", Finite(last.loss)}};
  if (run.score_name.empty()) {
    json["last"]["bpp"] = Finite(last.bpp);
    json["last"]["psnr"] = Finite(last.psnr_db);
  } else {
    json["last"][run.score_name] = Finite(last.score);
  }
  json["last"]["learning_rate"] = Finite(last.learning_rate);
  json["last"]["seconds"] = Finite(last.seconds);
  if (std::isfinite(run.test_score)) {
    json["test"] = {
        {"step", run.test_step}, {run.score_name, run.test_score}, {"pictures", run.test_pictures}};
  }
  return json;
}

Result<Exit> RunReport(const Options& options, const CommonOptions& common) {
  LICHEN_TRY(const Writer write, WriterFor(options.output));
  std::vector<TrainingRun> runs;
  for (const std::string& log : options.logs) {
    LICHEN_TRY(TrainingRun run, LoadTrainingRun(log));
    for (const std::string& note : run.notes) PrintNote(fmt::format("{}: {}", log, note));
    runs.push_back(std::move(run));
  }
  LICHEN_TRY_VOID(WriteFile(options.output, std::string_view(write(runs))));
  if (common.json) {
    nlohmann::ordered_json json = {{"output", options.output},
                                   {"runs", nlohmann::ordered_json::array()}};
    for (const TrainingRun& run : runs) json["runs"].push_back(ToJson(run));
    PrintJson(json);
    return Exit::kDone;
  }
  PrintText(common, "{}", ToText(TrainingSummary(runs)));
  return Exit::kDone;
}

}  // namespace

void AddReportCommand(CLI::App& app, Invocation& invocation) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      AddCommand(app, invocation, "report", "Plots and tables of training runs, from their logs",
                 [options](const CommonOptions& common) { return RunReport(*options, common); });
  command->add_option("LOG", options->logs, "JSON-lines logs of `lichen train`")->required();
  command->add_option("-o,--output", options->output, "The report to write: .html, .svg or .md")
      ->required()
      ->type_name("FILE");
}

}  // namespace lichen

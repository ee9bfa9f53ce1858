// lichen eval --task classify: accuracy on MNIST or CIFAR-10.
#include "apps/eval.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "flow/classify.h"
#include "kernels/cpu_target.h"
#include "report/table.h"

namespace lichen {
namespace {

struct Scored {
  std::string model;
  ClassificationScore score;
};

Result<void> WriteAnswers(const std::string& path, const LabelledPictures& pictures,
                          const std::vector<Scored>& scored) {
  Table table{.header = {"picture", "label"}, .rows = {}};
  for (const Scored& s : scored) table.header.push_back(s.model);
  for (size_t i = 0; i < pictures.labels.size(); ++i) {
    std::vector<std::string> row = {std::to_string(i), std::to_string(pictures.labels[i])};
    for (const Scored& s : scored) row.push_back(std::to_string(s.score.classes[i]));
    table.rows.push_back(std::move(row));
  }
  return WriteFile(path, std::string_view(ToCsv(table)));
}

}  // namespace

Result<Exit> EvalClassify(const EvalOptions& options, const CommonOptions& common) {
  if (options.models.empty() && options.plans.empty()) {
    return FailUsage("eval --task classify needs --model or --plan");
  }
  if (!options.plot.empty() || !options.rd_curves.empty() || !options.tables.empty() ||
      !options.keep.empty() || !options.labels.empty()) {
    return FailUsage("--plot, --rd-curves, --tables, --keep and --labels are for other tasks");
  }
  const Threads threads(common.threads);
  LICHEN_TRY(const LabelledPictures pictures, ReadLabelledPictures(options.folder, Split::kTest));
  std::vector<Scored> scored;
  for (const std::string& model : options.models) {
    LICHEN_TRY(const IntNet net, LoadIntNet(model, threads));
    ProgressLine progress("classifying");
    LICHEN_TRY(ClassificationScore score,
               InPlace(model, EvaluateClassification(net, pictures, threads, progress.Callback())));
    scored.push_back({model, std::move(score)});
  }
  for (const std::string& path : options.plans) {
    LICHEN_TRY(const fusion::Plan plan, fusion::LoadPlan(path));
    LICHEN_TRY_VOID(InPlace(path, fusion::Verify(plan)));
    ProgressLine progress("classifying");
    LICHEN_TRY(ClassificationScore score,
               InPlace(path, EvaluateClassification(plan.net, pictures, threads,
                                                    progress.Callback(), &plan)));
    scored.push_back({path, std::move(score)});
  }
  if (!options.csv.empty()) LICHEN_TRY_VOID(WriteAnswers(options.csv, pictures, scored));
  Table table{.header = {"model", "accuracy", "correct", "pictures", "unlike the engine",
                         "pictures per second"},
              .rows = {}};
  nlohmann::ordered_json models = nlohmann::ordered_json::array();
  for (const auto& [model, score] : scored) {
    const double rate = static_cast<double>(pictures.count()) / score.seconds;
    table.rows.push_back({model, fmt::format("{:.4f}", score.accuracy),
                          std::to_string(score.correct_count), std::to_string(pictures.count()),
                          std::to_string(score.different_count), fmt::format("{:.0f}", rate)});
    models.push_back({{"model", model},
                      {"accuracy", score.accuracy},
                      {"correct_count", score.correct_count},
                      {"different_count", score.different_count},
                      {"pictures_per_second", rate}});
  }
  if (common.json) {
    PrintJson({{"task", "classify"},
               {"data", pictures.source},
               {"picture_count", pictures.count()},
               {"cpu_target", ActiveCpuTarget()},
               {"models", models}});
  } else {
    PrintText(common, "{}test pictures of {}\n", ToText(table), pictures.source);
  }
  return Exit::kDone;
}

}  // namespace lichen

// lichen eval --task detect: boxes and their mean intersection over union.
#include "apps/eval.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "flow/detect.h"
#include "kernels/cpu_target.h"
#include "report/table.h"

namespace lichen {
namespace {

Table PictureTable(const DetectionScore& score) {
  Table table{.header = {"file", "xmin", "xmax", "ymin", "ymax", "iou"}, .rows = {}};
  for (const Detection& d : score.detections) {
    table.rows.push_back({d.picture, fmt::format("{:.2f}", d.box.xmin),
                          fmt::format("{:.2f}", d.box.xmax), fmt::format("{:.2f}", d.box.ymin),
                          fmt::format("{:.2f}", d.box.ymax), fmt::format("{:.4f}", d.iou)});
  }
  return table;
}

}  // namespace

Result<Exit> EvalDetect(const EvalOptions& options, const CommonOptions& common) {
  if (options.models.size() != 1) return FailUsage("eval --task detect needs one --model");
  if (!options.plot.empty() || !options.rd_curves.empty() || !options.tables.empty() ||
      !options.keep.empty()) {
    return FailUsage("--plot, --rd-curves, --tables and --keep are for --task codec");
  }
  const std::string& model = options.models[0];
  LICHEN_TRY(const IntNet net, LoadIntNet(model));
  const Threads threads(common.threads);
  DetectionScore score;
  {
    ProgressLine progress("detecting");
    LICHEN_TRY(score, InPlace(model, EvaluateDetection(net, options.folder, options.labels, threads,
                                                       progress.Callback())));
  }
  const Table table = PictureTable(score);
  if (!options.csv.empty()) {
    LICHEN_TRY_VOID(WriteFile(options.csv, std::string_view(ToCsv(table))));
  }
  const auto count = static_cast<double>(score.detections.size());
  if (!common.json) {
    PrintText(common, "{}mean IoU {:.4f} over {} pictures, {:.1f} pictures per second\n",
              ToText(table), score.mean_iou, score.detections.size(), count / score.seconds);
    return Exit::kDone;
  }
  nlohmann::ordered_json pictures = nlohmann::ordered_json::array();
  for (const Detection& d : score.detections) {
    pictures.push_back({{"file", d.picture},
                        {"xmin", d.box.xmin},
                        {"xmax", d.box.xmax},
                        {"ymin", d.box.ymin},
                        {"ymax", d.box.ymax},
                        {"iou", d.iou}});
  }
  PrintJson({{"task", "detect"},
             {"model", model},
             {"mean_iou", score.mean_iou},
             {"picture_count", score.detections.size()},
             {"pictures_per_second", count / score.seconds},
             {"cpu_target", ActiveCpuTarget()},
             {"pictures", pictures}});
  return Exit::kDone;
}

}  // namespace lichen

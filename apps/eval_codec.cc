// lichen eval --task codec: rate, distortion and times of codecs.
#include <cmath>
#include <cstdlib>
#include <system_error>

#include "apps/eval.h"
#include "apps/model_choice.h"
#include "apps/progress_line.h"
#include "base/files.h"
#include "flow/rd_summary.h"
#include "kernels/cpu_target.h"
#include "net/model_file.h"
#include "report/table.h"

namespace lichen {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

// A folder of its own for the encoded files, removed at the end; or the one that the user wants to keep.
class WorkFolder {
 public:
  static Result<WorkFolder> Create(const std::string& keep) {
    WorkFolder folder;
    std::error_code error;
    if (!keep.empty()) {
      folder.path_ = keep;
      fs::create_directories(keep, error);
      if (error) return Fail("{}: {}", keep, error.message());
      return folder;
    }
    const fs::path parent = fs::temp_directory_path(error);
    if (error) return Fail("no folder for temporary files: {}", error.message());
    std::string name = (parent / "lichen-eval-XXXXXX").string();
    if (!::mkdtemp(name.data())) return Fail("{}: cannot be created", name);
    folder.path_ = name;
    folder.is_temporary_ = true;
    return folder;
  }
  WorkFolder(WorkFolder&& other) noexcept
      : path_(std::move(other.path_)), is_temporary_(std::exchange(other.is_temporary_, false)) {}
  WorkFolder& operator=(WorkFolder&&) = delete;
  ~WorkFolder() {
    std::error_code ignored;
    if (is_temporary_) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const { return path_; }

 private:
  WorkFolder() = default;
  fs::path path_;
  bool is_temporary_ = false;
};

struct Evaluation {
  PictureFolder folder;
  std::vector<ModelScore> scores;
  std::vector<RdCurve> curves;
  std::vector<CurveComparison> comparisons;
  std::vector<QuantisationCost> costs;
};

Result<std::vector<RdCurve>> LoadCurves(const std::string& given) {
  if (!given.empty()) return LoadRdCurves(given);
  std::error_code error;
  if (!fs::exists(LICHEN_RD_CURVES, error)) return std::vector<RdCurve>();
  return LoadRdCurves(LICHEN_RD_CURVES);
}

// The integer model whose tables code the latents of float models.
Result<const IntNet*> FindTables(const std::vector<Model>& models, const Model* given) {
  if (given) {
    if (const auto* net = std::get_if<IntNet>(given)) return net;
    return FailUsage("--tables needs an integer model; this one is a float network");
  }
  for (const Model& model : models) {
    if (const auto* net = std::get_if<IntNet>(&model)) return net;
  }
  return FailUsage(
      "scoring a float model takes the tables of an integer one: give it as another "
      "--model or as --tables");
}

Result<std::vector<ModelScore>> ScoreModels(const EvalOptions& options,
                                            const std::vector<std::string>& names,
                                            const PictureFolder& folder, const Threads& threads) {
  std::vector<Model> models;
  for (const std::string& name : names) {
    LICHEN_TRY(Model model, LoadModel(name));
    models.push_back(std::move(model));
  }
  std::optional<Model> tables;
  if (!options.tables.empty()) {
    LICHEN_TRY(tables, LoadModel(options.tables));
  }
  LICHEN_TRY(const WorkFolder work, WorkFolder::Create(options.keep));
  ProgressLine progress("evaluating");
  std::vector<ModelScore> scores;
  for (size_t i = 0; i < models.size(); ++i) {
    const fs::path stem = fs::path(names[i]).stem();
    const bool is_apart = models.size() > 1 && !options.keep.empty();
    EvaluateOptions evaluate{.latent_rows_per_segment = options.segment_rows,
                             .work_folder = is_apart ? work.path() / stem : work.path(),
                             .keep_files = !options.keep.empty(),
                             .progress = progress.Callback()};
    progress.Stage(fmt::format("{} (model {} of {})", stem.string(), i + 1, models.size()));
    ModelScore score;
    if (const auto* net = std::get_if<IntNet>(&models[i])) {
      LICHEN_TRY(score, InPlace(names[i], EvaluateCodec(*net, folder, evaluate, threads)));
    } else {
      LICHEN_TRY(const IntNet* with, FindTables(models, tables ? &*tables : nullptr));
      LICHEN_TRY(score, InPlace(names[i], EvaluateFloat(std::get<FloatNet>(models[i]), *with,
                                                        folder, evaluate, threads)));
    }
    score.model = names[i];
    scores.push_back(std::move(score));
  }
  return scores;
}

Table CsvTable(const std::vector<ModelScore>& scores) {
  Table table{
      .header = {"model", "picture", "width", "height", "bytes", "bpp", "psnr_db", "ms_ssim",
                 "encode_seconds", "decode_seconds", "ideal_bits", "symbols", "saturated_latents"},
      .rows = {}};
  for (const ModelScore& score : scores) {
    for (const PictureScore& p : score.pictures) {
      table.rows.push_back(
          {score.model, p.picture, fmt::format("{}", p.width), fmt::format("{}", p.height),
           fmt::format("{}", p.file_bytes), fmt::format("{:.6f}", p.bpp),
           fmt::format("{:.5f}", p.psnr_db), fmt::format("{:.6f}", p.ms_ssim),
           fmt::format("{:.6f}", p.encode_seconds), fmt::format("{:.6f}", p.decode_seconds),
           fmt::format("{:.1f}", p.ideal_bits), fmt::format("{}", p.symbols),
           fmt::format("{}", p.saturated_latents)});
    }
  }
  return table;
}

// How much the files exceed the ideal code length of their latents, in percent.
double ExcessPercent(const ModelScore& score) {
  return 100 *
         (8 * score.Mean(&PictureScore::file_bytes) / score.Mean(&PictureScore::ideal_bits) - 1);
}

void PrintSummary(const Evaluation& evaluation, const CommonOptions& common) {
  Table models{.header = {"model", "kind", "bpp", "PSNR dB", "MS-SSIM", "encode s", "decode s",
                          "over ideal %", "saturated"},
               .rows = {}};
  for (const ModelScore& score : evaluation.scores) {
    models.rows.push_back({score.model, score.is_float ? "float" : "integer",
                           fmt::format("{:.4f}", score.Mean(&PictureScore::bpp)),
                           fmt::format("{:.3f}", score.Mean(&PictureScore::psnr_db)),
                           fmt::format("{:.5f}", score.Mean(&PictureScore::ms_ssim)),
                           fmt::format("{:.4f}", score.Mean(&PictureScore::encode_seconds)),
                           fmt::format("{:.4f}", score.Mean(&PictureScore::decode_seconds)),
                           fmt::format("{:.3f}", ExcessPercent(score)),
                           fmt::format("{}", score.Sum(&PictureScore::saturated_latents))});
  }
  PrintText(common, "mean over {} pictures ({} other files skipped), on {}\n{}",
            evaluation.folder.pictures.size(), evaluation.folder.skipped.size(), ActiveCpuTarget(),
            ToText(models));
  for (const QuantisationCost& cost : evaluation.costs) {
    PrintText(common, "{} against {}: PSNR loss {:.4f} dB (at most {:.4f}), size {:+.3f} %\n",
              cost.model, cost.float_model, cost.psnr_loss_db, cost.psnr_loss_max_db,
              cost.size_change_percent);
  }
  Table curves{.header = {"against", "rate %", "PSNR dB"}, .rows = {}};
  for (const CurveComparison& c : evaluation.comparisons) {
    if (evaluation.curves.size() > 12 && !IsLandmark(c.curve)) continue;
    if (c.bd_rate_percent) {
      curves.rows.push_back({c.curve, fmt::format("{:+.1f}", *c.bd_rate_percent), ""});
    } else if (c.gap) {
      curves.rows.push_back({c.curve, fmt::format("{:+.1f}", 100 * (c.gap->rate_ratio - 1)),
                             fmt::format("{:+.2f}", c.gap->psnr_gain_db)});
    }
  }
  if (!curves.rows.empty()) PrintText(common, "\n{}", ToText(curves));
}

Json ModelJson(const ModelScore& score) {
  Json pictures = Json::array();
  for (const PictureScore& p : score.pictures) {
    pictures.push_back({{"picture", p.picture},
                        {"width", p.width},
                        {"height", p.height},
                        {"bytes", p.file_bytes},
                        {"bpp", p.bpp},
                        {"psnr_db", p.psnr_db},
                        {"ms_ssim", p.ms_ssim},
                        {"encode_seconds", p.encode_seconds},
                        {"decode_seconds", p.decode_seconds},
                        {"ideal_bits", p.ideal_bits},
                        {"latent_bytes", p.latent_bytes},
                        {"hyper_bytes", p.hyper_bytes},
                        {"symbols", p.symbols},
                        {"saturated_latents", p.saturated_latents}});
  }
  return {{"model", score.model},
          {"kind", score.is_float ? "float_net" : "int_net"},
          {"bpp", score.Mean(&PictureScore::bpp)},
          {"psnr_db", score.Mean(&PictureScore::psnr_db)},
          {"ms_ssim", score.Mean(&PictureScore::ms_ssim)},
          {"bytes", score.Mean(&PictureScore::file_bytes)},
          {"ideal_bits", score.Mean(&PictureScore::ideal_bits)},
          {"excess_over_ideal_percent", ExcessPercent(score)},
          {"symbols", score.Sum(&PictureScore::symbols)},
          {"saturated_latents", score.Sum(&PictureScore::saturated_latents)},
          {"encode_seconds", score.Mean(&PictureScore::encode_seconds)},
          {"decode_seconds", score.Mean(&PictureScore::decode_seconds)},
          {"pictures", pictures}};
}

Json ToJson(const Evaluation& evaluation, const EvalOptions& options, const Threads& threads) {
  Json json = {{"task", "codec"},
               {"folder", options.folder},
               {"picture_count", evaluation.folder.pictures.size()},
               {"skipped", Json::array()},
               {"threads", threads.count()},
               {"cpu_target", ActiveCpuTarget()},
               {"models", Json::array()},
               {"against_float", Json::array()},
               {"against_curves", Json::array()}};
  for (const SkippedFile& file : evaluation.folder.skipped) {
    json["skipped"].push_back({{"file", file.name}, {"reason", file.reason}});
  }
  for (const ModelScore& score : evaluation.scores) json["models"].push_back(ModelJson(score));
  for (const QuantisationCost& cost : evaluation.costs) {
    json["against_float"].push_back({{"model", cost.model},
                                     {"float_model", cost.float_model},
                                     {"psnr_loss_db", cost.psnr_loss_db},
                                     {"psnr_loss_max_db", cost.psnr_loss_max_db},
                                     {"size_change_percent", cost.size_change_percent}});
  }
  for (const CurveComparison& c : evaluation.comparisons) {
    Json entry = {{"curve", c.curve}};
    if (c.bd_rate_percent) entry["bd_rate_percent"] = *c.bd_rate_percent;
    if (c.gap) {
      entry["rate_ratio"] = c.gap->rate_ratio;
      entry["psnr_gain_db"] = c.gap->psnr_gain_db;
    }
    if (entry.size() > 1) json["against_curves"].push_back(entry);
  }
  return json;
}

}  // namespace

Result<Exit> EvalCodec(const EvalOptions& options, const CommonOptions& common) {
  if (!options.labels.empty()) return FailUsage("--labels is for --task detect");
  std::vector<std::string> names = options.models;
  if (names.empty()) {
    LICHEN_TRY(const fs::path model, DefaultModel());
    names.push_back(model.string());
  }
  const Threads threads(common.threads);
  Evaluation evaluation;
  LICHEN_TRY(evaluation.curves, LoadCurves(options.rd_curves));
  LICHEN_TRY(evaluation.folder, ListPictures(options.folder));
  LICHEN_TRY(evaluation.scores, ScoreModels(options, names, evaluation.folder, threads));
  evaluation.comparisons = CompareWithCurves(evaluation.scores, evaluation.curves);
  evaluation.costs = CompareWithFloat(evaluation.scores);
  if (!options.csv.empty()) {
    LICHEN_TRY_VOID(WriteFile(options.csv, std::string_view(ToCsv(CsvTable(evaluation.scores)))));
  }
  if (!options.plot.empty()) {
    const std::string title =
        fmt::format("{} pictures of {}", evaluation.folder.pictures.size(),
                    fs::path(options.folder).lexically_normal().filename().string());
    const Plot plot = RdPlot(evaluation.scores, evaluation.curves, title);
    LICHEN_TRY_VOID(WriteFile(options.plot, std::string_view(ToSvg(plot))));
  }
  if (common.json) {
    PrintJson(ToJson(evaluation, options, threads));
  } else {
    PrintSummary(evaluation, common);
  }
  return Exit::kDone;
}

}  // namespace lichen

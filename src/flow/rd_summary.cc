#include "flow/rd_summary.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <string_view>

#include "base/check.h"

namespace lichen {
namespace {

constexpr std::array<std::string_view, 8> kLandmarks = {
    "vtm",  "av1",  "bpg_444_x265_ycbcr",        "tfc/minnen-2018-neurips-opt-mse", "jpeg2000",
    "webp", "jpeg", "paper-bmshj2018-factorized"};

RdCurve IntegerCurve(const std::vector<ModelScore>& scores) {
  RdCurve curve{.name = "models"};
  for (const ModelScore& score : scores) {
    if (!score.is_float) curve.points.push_back(score.MeanPoint());
  }
  return curve;
}

PlotSeries SeriesOf(const RdCurve& curve, PlotSeries::Style style) {
  PlotSeries series{.name = curve.name, .points = {}, .style = style};
  for (const RdPoint& p : curve.points) series.points.emplace_back(p.bpp, p.psnr_db);
  std::sort(series.points.begin(), series.points.end());
  return series;
}

std::string Stem(const std::string& model) { return std::filesystem::path(model).stem().string(); }

}  // namespace

std::vector<CurveComparison> CompareWithCurves(const std::vector<ModelScore>& scores,
                                               const std::vector<RdCurve>& curves) {
  const RdCurve models = IntegerCurve(scores);
  std::vector<CurveComparison> comparisons;
  if (models.points.empty()) return comparisons;
  for (const RdCurve& curve : curves) {
    CurveComparison comparison{.curve = curve.name};
    if (models.points.size() > 1) {
      comparison.bd_rate_percent = BdRatePercent(curve, models);
    } else {
      comparison.gap = CompareAtPoint(curve, models.points[0]);
    }
    comparisons.push_back(std::move(comparison));
  }
  return comparisons;
}

std::vector<QuantisationCost> CompareWithFloat(const std::vector<ModelScore>& scores) {
  std::vector<QuantisationCost> costs;
  for (const ModelScore& integer : scores) {
    for (const ModelScore& real : scores) {
      if (integer.is_float || !real.is_float) continue;
      LICHEN_CHECK(integer.pictures.size() == real.pictures.size());
      QuantisationCost cost{.model = integer.model, .float_model = real.model};
      for (size_t i = 0; i < real.pictures.size(); ++i) {
        const double loss = real.pictures[i].psnr_db - integer.pictures[i].psnr_db;
        cost.psnr_loss_db += loss / static_cast<double>(real.pictures.size());
        cost.psnr_loss_max_db = i == 0 ? loss : std::max(cost.psnr_loss_max_db, loss);
      }
      cost.size_change_percent =
          100 *
          (integer.Mean(&PictureScore::file_bytes) / real.Mean(&PictureScore::file_bytes) - 1);
      costs.push_back(std::move(cost));
    }
  }
  return costs;
}

bool IsLandmark(const std::string& curve) {
  return std::find(kLandmarks.begin(), kLandmarks.end(), curve) != kLandmarks.end();
}

Plot RdPlot(const std::vector<ModelScore>& scores, const std::vector<RdCurve>& curves,
            const std::string& title) {
  Plot plot{.title = title,
            .x_label = "bit per pixel (mean of pictures)",
            .y_label = "PSNR over RGB, dB (mean of pictures)"};
  using Style = PlotSeries::Style;
  for (const RdCurve& curve : curves) {
    if (!IsLandmark(curve.name)) plot.series.push_back(SeriesOf(curve, Style::kBackground));
  }
  for (const RdCurve& curve : curves) {
    if (IsLandmark(curve.name)) plot.series.push_back(SeriesOf(curve, Style::kLine));
  }
  RdCurve models = IntegerCurve(scores);
  double bpp_max = 0, psnr_min = 1e9, psnr_max = -1e9;
  for (const ModelScore& score : scores) {
    const RdPoint point = score.MeanPoint();
    bpp_max = std::max(bpp_max, point.bpp);
    psnr_min = std::min(psnr_min, point.psnr_db);
    psnr_max = std::max(psnr_max, point.psnr_db);
    if (score.is_float) {
      plot.series.push_back(
          SeriesOf({Stem(score.model) + " (float)", {point}}, Style::kLineAndMarkers));
    } else if (models.points.size() == 1) {
      models.name = Stem(score.model);
    }
  }
  if (!models.points.empty()) plot.series.push_back(SeriesOf(models, Style::kLineAndMarkers));
  if (psnr_min <= psnr_max && psnr_max < 200) {
    plot.x_max = std::max(1.5 * bpp_max, 0.2);
    plot.y_min = psnr_min - 6;
    plot.y_max = psnr_max + 4;
  }
  return plot;
}

}  // namespace lichen

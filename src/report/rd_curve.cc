#include "report/rd_curve.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/files.h"

namespace lichen {
namespace {

// A piecewise cubic y(x) through points of strictly increasing x.
class Pchip {
 public:
  Pchip(std::vector<double> x, std::vector<double> y) : x_(std::move(x)), y_(std::move(y)) {
    const size_t n = x_.size();
    for (size_t i = 0; i + 1 < n; ++i) {
      step_.push_back(x_[i + 1] - x_[i]);
      slope_.push_back((y_[i + 1] - y_[i]) / step_[i]);
    }
    derivative_.assign(n, slope_[0]);
    if (n == 2) return;
    for (size_t i = 1; i + 1 < n; ++i) derivative_[i] = Inner(i);
    derivative_[0] = End(step_[0], step_[1], slope_[0], slope_[1]);
    derivative_[n - 1] = End(step_[n - 2], step_[n - 3], slope_[n - 2], slope_[n - 3]);
  }

  double At(double x) const {
    const size_t i = Piece(x);
    const auto [c2, c3] = Curvature(i);
    const double t = x - x_[i];
    return y_[i] + t * (derivative_[i] + t * (c2 + t * c3));
  }

  double Integral(double from, double to) const {
    double sum = 0;
    for (size_t i = 0; i + 1 < x_.size(); ++i) {
      const double low = std::max(from, x_[i]);
      const double high = std::min(to, x_[i + 1]);
      if (low < high) sum += Primitive(i, high - x_[i]) - Primitive(i, low - x_[i]);
    }
    return sum;
  }

 private:
  // The weighted harmonic mean of the slopes on both sides; 0 at an extremum.
  double Inner(size_t i) const {
    if (slope_[i - 1] * slope_[i] <= 0) return 0;
    const double before = 2 * step_[i] + step_[i - 1];
    const double after = step_[i] + 2 * step_[i - 1];
    return (before + after) / (before / slope_[i - 1] + after / slope_[i]);
  }

  // The three-point derivative at an end, kept monotone.
  static double End(double step, double next_step, double slope, double next_slope) {
    const double d = ((2 * step + next_step) * slope - step * next_slope) / (step + next_step);
    if (d * slope <= 0) return 0;
    if (slope * next_slope <= 0 && std::abs(d) > 3 * std::abs(slope)) return 3 * slope;
    return d;
  }

  size_t Piece(double x) const {
    const auto after = std::upper_bound(x_.begin() + 1, x_.end() - 1, x);
    return static_cast<size_t>(after - x_.begin()) - 1;
  }

  std::pair<double, double> Curvature(size_t i) const {
    const double h = step_[i];
    return {(3 * slope_[i] - 2 * derivative_[i] - derivative_[i + 1]) / h,
            (derivative_[i] + derivative_[i + 1] - 2 * slope_[i]) / (h * h)};
  }

  double Primitive(size_t i, double t) const {
    const auto [c2, c3] = Curvature(i);
    return t * (y_[i] + t * (derivative_[i] / 2 + t * (c2 / 3 + t * c3 / 4)));
  }

  std::vector<double> x_, y_, step_, slope_, derivative_;
};

// Points as the contract sorts them; unusable ones (rate not above 0, not finite) are left out.
std::vector<RdPoint> Sorted(const RdCurve& curve) {
  std::vector<RdPoint> points;
  for (const RdPoint& p : curve.points) {
    if (p.bpp > 0 && std::isfinite(p.bpp) && std::isfinite(p.psnr_db)) points.push_back(p);
  }
  std::sort(points.begin(), points.end(), [](const RdPoint& a, const RdPoint& b) {
    return a.psnr_db != b.psnr_db ? a.psnr_db < b.psnr_db : a.bpp < b.bpp;
  });
  const auto same = [](const RdPoint& a, const RdPoint& b) { return a.psnr_db == b.psnr_db; };
  points.erase(std::unique(points.begin(), points.end(), same), points.end());
  return points;
}

Pchip LogRateOverPsnr(const std::vector<RdPoint>& points) {
  std::vector<double> x, y;
  for (const RdPoint& p : points) {
    x.push_back(p.psnr_db);
    y.push_back(std::log(p.bpp));
  }
  return {std::move(x), std::move(y)};
}

// The PSNR at which the curve has that log rate; the curve must cover it.
double PsnrAtLogRate(const Pchip& curve, double low_psnr, double high_psnr, double log_rate) {
  for (int i = 0; i < 60; ++i) {
    const double middle = (low_psnr + high_psnr) / 2;
    (curve.At(middle) < log_rate ? low_psnr : high_psnr) = middle;
  }
  return (low_psnr + high_psnr) / 2;
}

}  // namespace

Result<std::vector<RdCurve>> LoadRdCurves(const std::filesystem::path& path) {
  LICHEN_TRY(const std::vector<uint8_t> bytes, ReadFile(path, 64 << 20));
  const auto parsed = nlohmann::json::parse(bytes, nullptr, false);
  const auto fail = [&](std::string_view what) { return Fail("{}: {}", path.string(), what); };
  if (!parsed.is_object()) return fail("is no JSON object of rate-distortion curves");
  std::vector<RdCurve> curves;
  for (const auto& [name, points] : parsed.items()) {
    RdCurve curve{.name = name};
    if (!points.is_array()) return fail(fmt::format("curve '{}' is no list of points", name));
    for (const auto& point : points) {
      if (!point.is_array() || point.size() != 2 || !point[0].is_number() ||
          !point[1].is_number()) {
        return fail(fmt::format("curve '{}' has a point that is not [bpp, psnr]", name));
      }
      curve.points.push_back({point[0].get<double>(), point[1].get<double>()});
    }
    curves.push_back(std::move(curve));
  }
  return curves;
}

std::optional<double> BdRatePercent(const RdCurve& anchor, const RdCurve& test) {
  const std::vector<RdPoint> a = Sorted(anchor);
  const std::vector<RdPoint> b = Sorted(test);
  if (a.size() < 2 || b.size() < 2) return std::nullopt;
  const double low = std::max(a.front().psnr_db, b.front().psnr_db);
  const double high = std::min(a.back().psnr_db, b.back().psnr_db);
  if (low >= high) return std::nullopt;
  const double difference =
      LogRateOverPsnr(b).Integral(low, high) - LogRateOverPsnr(a).Integral(low, high);
  return 100 * (std::exp(difference / (high - low)) - 1);
}

std::optional<RdGap> CompareAtPoint(const RdCurve& curve, RdPoint point) {
  const std::vector<RdPoint> points = Sorted(curve);
  if (points.size() < 2 || point.bpp <= 0) return std::nullopt;
  const double low = points.front().psnr_db;
  const double high = points.back().psnr_db;
  const Pchip interpolant = LogRateOverPsnr(points);
  const double log_rate = std::log(point.bpp);
  if (point.psnr_db < low || point.psnr_db > high || log_rate < interpolant.At(low) ||
      log_rate > interpolant.At(high)) {
    return std::nullopt;
  }
  return RdGap{.psnr_gain_db = point.psnr_db - PsnrAtLogRate(interpolant, low, high, log_rate),
               .rate_ratio = point.bpp / std::exp(interpolant.At(point.psnr_db))};
}

}  // namespace lichen

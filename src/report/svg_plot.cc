#include "report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

namespace lichen {
namespace {

constexpr double kWidth = 900, kHeight = 560;
constexpr double kLeft = 70, kRight = 270, kTop = 46, kBottom = 60;
constexpr std::array<const char*, 12> kColours = {"#c1272d", "#0b5fa5", "#2e8b57", "#8e44ad",
                                                  "#d98200", "#17808f", "#7a5230", "#b03a7a",
                                                  "#6b7a00", "#000000", "#4b4bd6", "#00a36c"};

std::string Escape(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return out;
}

// Where data lie on the page.
struct Frame {
  double x_min, x_max, y_min, y_max;
  double X(double x) const {
    return kLeft + (x - x_min) / (x_max - x_min) * (kWidth - kLeft - kRight);
  }
  double Y(double y) const {
    return kHeight - kBottom - (y - y_min) / (y_max - y_min) * (kHeight - kTop - kBottom);
  }
};

// [min, max] widened a little; of no or equal values one unit.
std::pair<double, double> Widened(double min, double max) {
  if (!(min <= max)) return {0, 1};
  const double margin = min == max ? 0.5 : 0.05 * (max - min);
  return {min - margin, max + margin};
}

Frame FrameOf(const Plot& plot) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  double x_min = kInf, x_max = -kInf, y_min = kInf, y_max = -kInf;
  for (const PlotSeries& series : plot.series) {
    if (series.style == PlotSeries::Style::kBackground) continue;
    for (const auto& [x, y] : series.points) {
      if (!std::isfinite(x) || !std::isfinite(y)) continue;
      x_min = std::min(x_min, x), x_max = std::max(x_max, x);
      y_min = std::min(y_min, y), y_max = std::max(y_max, y);
    }
  }
  Frame frame{plot.x_min, plot.x_max, plot.y_min, plot.y_max};
  if (plot.x_min >= plot.x_max) std::tie(frame.x_min, frame.x_max) = Widened(x_min, x_max);
  if (plot.y_min >= plot.y_max) std::tie(frame.y_min, frame.y_max) = Widened(y_min, y_max);
  return frame;
}

void AppendAxes(const Plot& plot, const Frame& frame, std::string& out) {
  const auto at = std::back_inserter(out);
  const double bottom = kHeight - kBottom, right = kWidth - kRight;
  for (const double x : RoundTicks(frame.x_min, frame.x_max, 9)) {
    fmt::format_to(at, "<path d=\"M{0:.1f} {1} V{2}\" stroke=\"#e4e4e4\"/>\n", frame.X(x), kTop,
                   bottom);
    fmt::format_to(at, "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.6g}</text>\n",
                   frame.X(x), bottom + 18, x);
  }
  for (const double y : RoundTicks(frame.y_min, frame.y_max, 9)) {
    fmt::format_to(at, "<path d=\"M{0} {1:.1f} H{2}\" stroke=\"#e4e4e4\"/>\n", kLeft, frame.Y(y),
                   right);
    fmt::format_to(at, "<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{:.6g}</text>\n", kLeft - 8,
                   frame.Y(y) + 4, y);
  }
  fmt::format_to(at,
                 "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"none\" "
                 "stroke=\"#444\"/>\n",
                 kLeft, kTop, right - kLeft, bottom - kTop);
  fmt::format_to(at, "<text x=\"{}\" y=\"26\" text-anchor=\"middle\" font-size=\"16\">{}</text>\n",
                 (kLeft + right) / 2, Escape(plot.title));
  fmt::format_to(at, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                 (kLeft + right) / 2, kHeight - 18, Escape(plot.x_label));
  fmt::format_to(at,
                 "<text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\">{}"
                 "</text>\n",
                 (kTop + bottom) / 2, Escape(plot.y_label));
}

void AppendSeries(const PlotSeries& series, const Frame& frame, const char* colour,
                  std::string& out) {
  const auto at = std::back_inserter(out);
  const bool is_background = series.style == PlotSeries::Style::kBackground;
  std::string path;
  for (const auto& [x, y] : series.points) {
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    fmt::format_to(std::back_inserter(path), "{}{:.2f} {:.2f}", path.empty() ? "M" : " L",
                   frame.X(x), frame.Y(y));
  }
  if (path.empty()) return;
  fmt::format_to(at,
                 "<path clip-path=\"url(#area)\" d=\"{}\" fill=\"none\" stroke=\"{}\" "
                 "stroke-width=\"{}\"><title>{}</title></path>\n",
                 path, colour, is_background ? "0.8" : "2", Escape(series.name));
  if (series.style != PlotSeries::Style::kLineAndMarkers) return;
  for (const auto& [x, y] : series.points) {
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    fmt::format_to(at,
                   "<circle clip-path=\"url(#area)\" cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"4.5\" "
                   "fill=\"{}\"/>\n",
                   frame.X(x), frame.Y(y), colour);
  }
}

}  // namespace

std::vector<double> RoundTicks(double min, double max, int count) {
  if (!(min < max) || !std::isfinite(max - min) || count < 1) return {};
  const double rough = (max - min) / count;
  const double power = std::pow(10, std::floor(std::log10(rough)));
  double step = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= rough) {
      step = factor * power;
      break;
    }
  }
  std::vector<double> ticks;
  const double first = std::ceil(min / step - 1e-9), last = std::floor(max / step + 1e-9);
  for (double i = first; i <= last; ++i) ticks.push_back(i * step + 0.0);
  return ticks;
}

std::string ToSvg(const Plot& plot) {
  const Frame frame = FrameOf(plot);
  std::string out;
  const auto at = std::back_inserter(out);
  fmt::format_to(at,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
                 "width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                 "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n"
                 "<clipPath id=\"area\"><rect x=\"{2}\" y=\"{3}\" width=\"{4}\" height=\"{5}\"/>"
                 "</clipPath>\n",
                 kWidth, kHeight, kLeft, kTop, kWidth - kLeft - kRight, kHeight - kTop - kBottom);
  AppendAxes(plot, frame, out);
  size_t shown = 0;
  for (const PlotSeries& series : plot.series) {
    if (series.style == PlotSeries::Style::kBackground) {
      AppendSeries(series, frame, "#c9c9c9", out);
      continue;
    }
    const char* colour = kColours[shown % kColours.size()];
    AppendSeries(series, frame, colour, out);
    const double y = kTop + 12 + 20 * static_cast<double>(shown);
    const double x = kWidth - kRight + 14;
    fmt::format_to(at,
                   "<path d=\"M{0} {1} h22\" stroke=\"{2}\" stroke-width=\"2\"/>\n"
                   "<text x=\"{3}\" y=\"{4}\">{5}</text>\n",
                   x, y, colour, x + 28, y + 4, Escape(series.name));
    ++shown;
  }
  out += "</svg>\n";
  return out;
}

}  // namespace lichen

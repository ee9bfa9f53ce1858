#include "report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <limits>

namespace lichen {
namespace {

constexpr double kLeft = 70, kRight = 270, kTop = 46, kBottom = 60;
constexpr double kLine = 16;  // of text below the plots
constexpr std::array<const char*, 12> kColours = {"#c1272d", "#0b5fa5", "#2e8b57", "#8e44ad",
                                                  "#d98200", "#17808f", "#7a5230", "#b03a7a",
                                                  "#6b7a00", "#000000", "#4b4bd6", "#00a36c"};

// Where data lie on the page.
struct Frame {
  double width, height;
  bool has_log_y;
  double x_min = 0, x_max = 0, y_min = 0, y_max = 0;  // on a logarithmic axis of log10(y)

  double Scaled(double y) const { return has_log_y ? std::log10(y) : y; }
  double X(double x) const {
    return kLeft + (x - x_min) / (x_max - x_min) * (width - kLeft - kRight);
  }
  double Y(double y) const {
    return height - kBottom - (Scaled(y) - y_min) / (y_max - y_min) * (height - kTop - kBottom);
  }
  bool Shows(double x, double y) const {
    return std::isfinite(x) && std::isfinite(y) && (!has_log_y || y > 0);
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
  Frame frame{plot.width_px, plot.height_px, plot.has_log_y};
  double x_min = kInf, x_max = -kInf, y_min = kInf, y_max = -kInf;
  for (const PlotSeries& series : plot.series) {
    if (series.style == PlotSeries::Style::kBackground) continue;
    for (const auto& [x, y] : series.points) {
      if (!frame.Shows(x, y)) continue;
      x_min = std::min(x_min, x), x_max = std::max(x_max, x);
      y_min = std::min(y_min, frame.Scaled(y)), y_max = std::max(y_max, frame.Scaled(y));
    }
  }
  std::tie(frame.x_min, frame.x_max) =
      plot.x_min < plot.x_max ? std::pair(plot.x_min, plot.x_max) : Widened(x_min, x_max);
  const bool has_range = plot.y_min < plot.y_max && (!plot.has_log_y || plot.y_min > 0);
  std::tie(frame.y_min, frame.y_max) =
      has_range ? std::pair(frame.Scaled(plot.y_min), frame.Scaled(plot.y_max))
                : Widened(y_min, y_max);
  return frame;
}

std::vector<double> YTicks(const Frame& frame) {
  const int count = frame.height < 400 ? 6 : 9;
  if (!frame.has_log_y) return RoundTicks(frame.y_min, frame.y_max, count);
  return LogTicks(std::pow(10, frame.y_min), std::pow(10, frame.y_max), count);
}

void AppendAxes(const Plot& plot, const Frame& frame, std::string& out) {
  const auto at = std::back_inserter(out);
  const double bottom = frame.height - kBottom, right = frame.width - kRight;
  for (const double x : RoundTicks(frame.x_min, frame.x_max, 9)) {
    fmt::format_to(at, "<path d=\"M{0:.1f} {1} V{2}\" stroke=\"#e4e4e4\"/>\n", frame.X(x), kTop,
                   bottom);
    fmt::format_to(at, "<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{:.6g}</text>\n",
                   frame.X(x), bottom + 18, x);
  }
  for (const double y : YTicks(frame)) {
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
                 (kLeft + right) / 2, EscapeMarkup(plot.title));
  fmt::format_to(at, "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n",
                 (kLeft + right) / 2, frame.height - 18, EscapeMarkup(plot.x_label));
  fmt::format_to(at,
                 "<text transform=\"translate(20 {}) rotate(-90)\" text-anchor=\"middle\">{}"
                 "</text>\n",
                 (kTop + bottom) / 2, EscapeMarkup(plot.y_label));
}

void AppendSeries(const PlotSeries& series, const Frame& frame, const char* colour,
                  const std::string& clip, std::string& out) {
  const auto at = std::back_inserter(out);
  const bool is_background = series.style == PlotSeries::Style::kBackground;
  std::string path;
  for (const auto& [x, y] : series.points) {
    if (!frame.Shows(x, y)) continue;
    fmt::format_to(std::back_inserter(path), "{}{:.2f} {:.2f}", path.empty() ? "M" : " L",
                   frame.X(x), frame.Y(y));
  }
  if (path.empty()) return;
  fmt::format_to(at,
                 "<path clip-path=\"url(#{})\" d=\"{}\" fill=\"none\" stroke=\"{}\" "
                 "stroke-width=\"{}\"><title>{}</title></path>\n",
                 clip, path, colour, is_background ? "0.8" : "2", EscapeMarkup(series.name));
  if (series.style != PlotSeries::Style::kLineAndMarkers) return;
  for (const auto& [x, y] : series.points) {
    if (!frame.Shows(x, y)) continue;
    fmt::format_to(at,
                   "<circle clip-path=\"url(#{})\" cx=\"{:.2f}\" cy=\"{:.2f}\" r=\"4.5\" "
                   "fill=\"{}\"/>\n",
                   clip, frame.X(x), frame.Y(y), colour);
  }
}

void AppendMark(const PlotMark& mark, const Frame& frame, std::string& out) {
  const double x = frame.X(mark.x);
  if (!(x >= kLeft && x <= frame.width - kRight)) return;
  fmt::format_to(std::back_inserter(out),
                 "<path d=\"M{0:.1f} {1} V{2}\" stroke=\"#555\" stroke-dasharray=\"4 3\"/>\n"
                 "<text x=\"{3:.1f}\" y=\"{4}\" font-size=\"11\" fill=\"#555\">{5}</text>\n",
                 x, kTop, frame.height - kBottom, x + 3, kTop + 12, EscapeMarkup(mark.label));
}

// `clip` names the plot's area, unique in the file.
void AppendPlot(const Plot& plot, const std::string& clip, std::string& out) {
  const Frame frame = FrameOf(plot);
  const auto at = std::back_inserter(out);
  fmt::format_to(at,
                 "<clipPath id=\"{}\"><rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>"
                 "</clipPath>\n",
                 clip, kLeft, kTop, frame.width - kLeft - kRight, frame.height - kTop - kBottom);
  AppendAxes(plot, frame, out);
  for (const PlotMark& mark : plot.marks) AppendMark(mark, frame, out);
  size_t shown = 0;
  for (const PlotSeries& series : plot.series) {
    if (series.style == PlotSeries::Style::kBackground) {
      AppendSeries(series, frame, "#c9c9c9", clip, out);
      continue;
    }
    const char* colour = kColours[shown % kColours.size()];
    AppendSeries(series, frame, colour, clip, out);
    const double y = kTop + 12 + 20 * static_cast<double>(shown);
    const double x = frame.width - kRight + 14;
    fmt::format_to(at,
                   "<path d=\"M{0} {1} h22\" stroke=\"{2}\" stroke-width=\"2\"/>\n"
                   "<text x=\"{3}\" y=\"{4}\">{5}</text>\n",
                   x, y, colour, x + 28, y + 4, EscapeMarkup(series.name));
    ++shown;
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

std::vector<double> LogTicks(double min, double max, int count) {
  if (!(min > 0) || !(min < max) || !std::isfinite(max)) return {};
  const int first = static_cast<int>(std::floor(std::log10(min)));
  const int last = static_cast<int>(std::floor(std::log10(max)));
  const int powers = last - first + 1;
  const int stride = std::max(1, (powers + count - 1) / std::max(count, 1));
  std::vector<double> factors = {1};
  if (3 * powers <= 2 * count) factors = {1, 2, 5};
  std::vector<double> ticks;
  for (int power = first; power <= last; power += stride) {
    for (const double factor : factors) {
      const double tick = factor * std::pow(10, power);
      if (tick >= min * (1 - 1e-9) && tick <= max * (1 + 1e-9)) ticks.push_back(tick);
    }
  }
  // Within less than a power there may be none.
  return ticks.size() < 2 ? RoundTicks(min, max, count) : ticks;
}

std::string EscapeMarkup(std::string_view text) {
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

std::string ToSvg(const Plot& plot) { return StackSvg({plot}); }

std::string StackSvg(const std::vector<Plot>& plots, const std::vector<std::string>& lines) {
  double width = 0, height = lines.empty() ? 0 : kLine * static_cast<double>(lines.size() + 1);
  for (const Plot& plot : plots) {
    width = std::max(width, plot.width_px);
    height += plot.height_px;
  }
  std::string out;
  const auto at = std::back_inserter(out);
  fmt::format_to(at,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
                 "width=\"{0}\" height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\">\n"
                 "<rect width=\"{0}\" height=\"{1}\" fill=\"white\"/>\n",
                 width, height);
  double top = 0;
  for (size_t i = 0; i < plots.size(); ++i) {
    if (plots.size() > 1) fmt::format_to(at, "<g transform=\"translate(0 {})\">\n", top);
    AppendPlot(plots[i], i == 0 ? "area" : fmt::format("area{}", i), out);
    if (plots.size() > 1) out += "</g>\n";
    top += plots[i].height_px;
  }
  for (const std::string& line : lines) {
    top += kLine;
    fmt::format_to(at,
                   "<text x=\"20\" y=\"{}\" font-family=\"monospace\" xml:space=\"preserve\">{}"
                   "</text>\n",
                   top, EscapeMarkup(line));
  }
  out += "</svg>\n";
  return out;
}

}  // namespace lichen

// Line plots as SVG: axes with round ticks, a legend, curves with or without markers.
//
// Contract: the same plot gives the same bytes. Text is escaped. Lines are clipped to the plot area.
// Points that are not finite, or not above 0 on a logarithmic axis, are left out.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lichen {

struct PlotSeries {
  enum class Style {
    kLine,
    kLineAndMarkers,
    kBackground
  };  // background: thin grey, not in the legend
  std::string name;
  std::vector<std::pair<double, double>> points;  // (x, y), drawn in this order
  Style style = Style::kLine;
};

// A vertical line with a label, e.g. where something changes.
struct PlotMark {
  double x = 0;
  std::string label;
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  // The shown part; where min >= max it is chosen to hold all series but those in the background.
  double x_min = 0, x_max = 0;
  double y_min = 0, y_max = 0;
  std::vector<PlotSeries> series;  // later ones are drawn over earlier ones
  std::vector<PlotMark> marks = {};
  bool has_log_y = false;
  double width_px = 900;
  double height_px = 560;
};

std::string ToSvg(const Plot& plot);

// Plots below each other in one SVG, and below them lines of text in type of one width.
std::string StackSvg(const std::vector<Plot>& plots, const std::vector<std::string>& lines = {});

// Text with the signs of markup replaced, for SVG and HTML.
std::string EscapeMarkup(std::string_view text);

// Ticks at multiples of 1, 2 or 5 times a power of ten within [min, max], at most about `count`.
std::vector<double> RoundTicks(double min, double max, int count);
// Ticks at 1, 2 and 5 times powers of ten, or at every n-th power where those are many; 0 < min < max.
std::vector<double> LogTicks(double min, double max, int count);

}  // namespace lichen

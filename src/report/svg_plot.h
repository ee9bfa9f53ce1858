// Line plots as SVG: axes with round ticks, a legend, curves with or without markers.
//
// Contract: the same plot gives the same bytes. Text is escaped. Lines are clipped to the plot area.
#pragma once

#include <string>
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

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  // The shown part; where min >= max it is chosen to hold all series but those in the background.
  double x_min = 0, x_max = 0;
  double y_min = 0, y_max = 0;
  std::vector<PlotSeries> series;  // later ones are drawn over earlier ones
};

std::string ToSvg(const Plot& plot);

// Ticks at multiples of 1, 2 or 5 times a power of ten within [min, max], at most about `count`.
std::vector<double> RoundTicks(double min, double max, int count);

}  // namespace lichen

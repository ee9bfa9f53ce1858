#include "report/svg_plot.h"

#include <gtest/gtest.h>

#include <limits>

namespace lichen {
namespace {

using Style = PlotSeries::Style;

TEST(RoundTicks, AreRoundAndInside) {
  EXPECT_EQ(RoundTicks(0, 10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  for (const double tick : RoundTicks(26.3, 41.7, 8)) {
    EXPECT_GE(tick, 26.3);
    EXPECT_LE(tick, 41.7);
  }
  EXPECT_TRUE(RoundTicks(1, 1, 5).empty());
  EXPECT_TRUE(RoundTicks(0, std::numeric_limits<double>::infinity(), 5).empty());
}

TEST(SvgPlot, HoldsAxesLegendAndEveryCurve) {
  const Plot plot{.title = "rate & distortion",
                  .x_label = "bit per pixel",
                  .y_label = "PSNR",
                  .series = {{"far", {{5, 5}}, Style::kBackground},
                             {"a<b", {{0.1, 30}, {0.5, 35}}, Style::kLineAndMarkers}}};
  const std::string svg = ToSvg(plot);
  EXPECT_TRUE(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
  EXPECT_NE(svg.find("rate &amp; distortion"), std::string::npos);
  EXPECT_NE(svg.find(">a&lt;b</text>"), std::string::npos);
  EXPECT_EQ(svg.find(">far</text>"), std::string::npos);
  EXPECT_NE(svg.find("<circle"), std::string::npos);
  EXPECT_EQ(svg, ToSvg(plot));
}

TEST(SvgPlot, SurvivesNoDataAndNoNumbers) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const Plot& plot : {Plot{}, Plot{.series = {{"n", {{nan, 1}}, Style::kLine}}}}) {
    EXPECT_EQ(ToSvg(plot).find("nan"), std::string::npos);
  }
}

TEST(LogTicks, AreInsideAndOfEqualFactors) {
  EXPECT_EQ(LogTicks(0.9, 120, 9), (std::vector<double>{1, 2, 5, 10, 20, 50, 100}));
  EXPECT_EQ(LogTicks(1e-9, 1, 5), (std::vector<double>{1e-9, 1e-7, 1e-5, 1e-3, 1e-1}));
  EXPECT_FALSE(LogTicks(3, 4, 5).empty());
  EXPECT_TRUE(LogTicks(0, 4, 5).empty());
}

TEST(SvgPlot, LogarithmicAxesLeaveOutWhatIsNotPositive) {
  const Plot plot{.series = {{"n", {{0, 1}, {1, 0}, {2, -3}, {3, 100}}, Style::kLineAndMarkers}},
                  .has_log_y = true};
  const std::string svg = ToSvg(plot);
  size_t circles = 0;
  for (size_t at = svg.find("<circle"); at != std::string::npos; at = svg.find("<circle", at + 1)) {
    ++circles;
  }
  EXPECT_EQ(circles, 2u);
  EXPECT_EQ(svg.find("nan"), std::string::npos);
}

TEST(SvgPlot, StackKeepsAreasApartAndShowsMarksAndText) {
  const Plot plot{.series = {{"n", {{0, 1}, {4, 2}}, Style::kLine}},
                  .marks = {{2, "here"}, {99, "outside"}},
                  .height_px = 300};
  const std::string svg = StackSvg({plot, plot}, {"a  <b"});
  EXPECT_NE(svg.find("url(#area)"), std::string::npos);
  EXPECT_NE(svg.find("url(#area1)"), std::string::npos);
  EXPECT_NE(svg.find(">here</text>"), std::string::npos);
  EXPECT_EQ(svg.find("outside"), std::string::npos);
  EXPECT_NE(svg.find(">a  &lt;b</text>"), std::string::npos);
  EXPECT_NE(svg.find("height=\"632\""), std::string::npos);
}

}  // namespace
}  // namespace lichen

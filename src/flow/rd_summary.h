// Scored models against each other and against published rate-distortion curves.
//
// Contract: plain computation. The mean points of all integer models form one curve; float models have no file
// and take no part in it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "flow/evaluate.h"
#include "report/rd_curve.h"
#include "report/svg_plot.h"

namespace lichen {

// One published curve against the models: BD-rate where there are two models or more, else the gap of the one point.
struct CurveComparison {
  std::string curve;
  std::optional<double> bd_rate_percent;
  std::optional<RdGap> gap;
};

std::vector<CurveComparison> CompareWithCurves(const std::vector<ModelScore>& scores,
                                               const std::vector<RdCurve>& curves);

// What quantisation costs: an integer model against a float one, both coded with the same tables.
struct QuantisationCost {
  std::string model;
  std::string float_model;
  double psnr_loss_db = 0;         // mean over the pictures
  double psnr_loss_max_db = 0;     // of any picture
  double size_change_percent = 0;  // of the mean file size
};

// Every integer model against every float model; both must have scored the same pictures.
std::vector<QuantisationCost> CompareWithFloat(const std::vector<ModelScore>& scores);

// Well-known curves, which plots and short tables name; the others stay in the background.
bool IsLandmark(const std::string& curve);

Plot RdPlot(const std::vector<ModelScore>& scores, const std::vector<RdCurve>& curves,
            const std::string& title);

}  // namespace lichen

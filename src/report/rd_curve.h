// Rate-distortion curves: points of (bits per pixel, PSNR), read from files and compared.
//
// Contract: a curve is read as the monotone cubic interpolant (Fritsch and Butland's derivatives, as SciPy's
// PchipInterpolator) of log(rate) over PSNR. Points are sorted by PSNR first; of equal PSNRs the smallest
// rate stays.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

struct RdPoint {
  double bpp = 0;
  double psnr_db = 0;
};

struct RdCurve {
  std::string name;
  std::vector<RdPoint> points;
};

// Reads {"name": [[bpp, psnr], ...], ...}. Curves in the order of their names.
Result<std::vector<RdCurve>> LoadRdCurves(const std::filesystem::path& path);

// Bjontegaard's rate difference: the mean over the PSNRs that both curves cover of the rate of `test`
// relative to `anchor`, in percent; negative is better. None where fewer than two points or no overlap exist.
std::optional<double> BdRatePercent(const RdCurve& anchor, const RdCurve& test);

// A single point against a curve.
struct RdGap {
  double psnr_gain_db = 0;  // of the point over the curve at the point's rate
  double rate_ratio = 0;    // the point's rate by the curve's at the point's PSNR
};
// None where the curve covers neither the point's rate nor its PSNR; needs both.
std::optional<RdGap> CompareAtPoint(const RdCurve& curve, RdPoint point);

}  // namespace lichen

// How alike two pictures are: PSNR and MS-SSIM, whole or by rows.
//
// Contract: both pictures have the same size, channels and bit depth (else an error); alpha does
// not count. Peak is 255 or 65535. Memory of the meters grows with the width only.
// READ ME FIRST: MS-SSIM is taken per channel and averaged over channels, on the RGB (or grey)
// samples as they are; papers that take it on luma get other figures.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "image/image.h"

namespace lichen {

// 10 log10(peak^2 / mean squared error over all pixels and colour channels), in dB; infinity for
// equal pictures.
class PsnrMeter {
 public:
  // Requires CheckImageInfo(info).
  explicit PsnrMeter(const ImageInfo& info);
  // Interleaved rows of the two pictures, alpha included.
  void AddRow(std::span<const uint16_t> a, std::span<const uint16_t> b);
  // Of the rows added so far, at least one.
  double Mse() const;
  double Psnr() const;

 private:
  int channels_;
  int colours_;
  double peak_;
  double squares_ = 0;
  int64_t count_ = 0;
};

// Multi-scale structural similarity (Wang, Simoncelli, Bovik 2003): 5 scales, 11x11 Gaussian window
// of sigma 1.5 inside the picture, K1 = 0.01, K2 = 0.03, weights 0.0448 0.2856 0.3001 0.2363
// 0.1333, 2x2 means between scales (an odd last row or column counts twice). A picture whose
// smaller side is below 176 uses as many scales as keep that side at 11 or more at the coarsest, at
// least one, with the first weights divided by their sum. A side below 11 cuts the window to that
// side. Negative contrast-structure terms count as 0.
class MsSsimMeter {
 public:
  static constexpr int kScales = 5;
  // Requires CheckImageInfo(info).
  explicit MsSsimMeter(const ImageInfo& info);
  ~MsSsimMeter();
  MsSsimMeter(MsSsimMeter&&) noexcept;
  MsSsimMeter& operator=(MsSsimMeter&&) noexcept;

  // The next rows, top to bottom, interleaved, alpha included.
  void AddRow(std::span<const uint16_t> a, std::span<const uint16_t> b);
  // In [0, 1]. Requires that all rows have been added.
  double MsSsim() const;
  int scale_count() const { return scale_count_; }

 private:
  struct Channel;
  ImageInfo info_;
  int scale_count_;
  int64_t next_row_ = 0;
  std::vector<std::unique_ptr<Channel>> channels_;
};

Result<void> CheckComparable(const ImageInfo& a, const ImageInfo& b);
Result<double> Psnr(const Image& a, const Image& b);
Result<double> MsSsim(const Image& a, const Image& b);

}  // namespace lichen

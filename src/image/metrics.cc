#include "image/metrics.h"

#include <cmath>
#include <limits>

#include "base/check.h"

namespace lichen {

PsnrMeter::PsnrMeter(const ImageInfo& info)
    : channels_(info.channels), colours_(info.ColourChannels()), peak_(info.MaxSample()) {
  LICHEN_CHECK(CheckImageInfo(info).has_value());
}

void PsnrMeter::AddRow(std::span<const uint16_t> a, std::span<const uint16_t> b) {
  LICHEN_CHECK(a.size() == b.size() && a.size() % static_cast<size_t>(channels_) == 0);
  uint64_t squares = 0;  // a row has fewer than 2^26 samples, a square fewer than 2^32: exact
  for (size_t i = 0; i < a.size(); i += static_cast<size_t>(channels_)) {
    for (int c = 0; c < colours_; ++c) {
      const int64_t difference = int64_t{a[i + c]} - b[i + c];
      squares += static_cast<uint64_t>(difference * difference);
    }
  }
  squares_ += static_cast<double>(squares);
  count_ += static_cast<int64_t>(a.size()) / channels_ * colours_;
}

double PsnrMeter::Mse() const {
  LICHEN_CHECK(count_ > 0);
  return squares_ / static_cast<double>(count_);
}

double PsnrMeter::Psnr() const {
  const double mse = Mse();
  if (mse == 0) return std::numeric_limits<double>::infinity();
  return 10 * std::log10(peak_ * peak_ / mse);
}

Result<void> CheckComparable(const ImageInfo& a, const ImageInfo& b) {
  if (a.height == b.height && a.width == b.width && a.channels == b.channels &&
      a.bit_depth == b.bit_depth) {
    return {};
  }
  return Fail("pictures that differ in kind cannot be compared: {} and {}; convert one of them",
              Describe(a), Describe(b));
}

Result<double> Psnr(const Image& a, const Image& b) {
  LICHEN_TRY_VOID(CheckComparable(a.info, b.info));
  PsnrMeter meter(a.info);
  for (int64_t y = 0; y < a.info.height; ++y) meter.AddRow(a.Row(y), b.Row(y));
  return meter.Psnr();
}

Result<double> MsSsim(const Image& a, const Image& b) {
  LICHEN_TRY_VOID(CheckComparable(a.info, b.info));
  MsSsimMeter meter(a.info);
  for (int64_t y = 0; y < a.info.height; ++y) meter.AddRow(a.Row(y), b.Row(y));
  return meter.MsSsim();
}

}  // namespace lichen

#include "quant/statistics.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace lichen {
namespace {

// A bin is the exponent and the upper four mantissa bits of a float; magnitudes from 2^-31 to 2^33.
constexpr int kMantissaShift = 19;
constexpr uint32_t kFirstBin = (127 - 31) << 4;
constexpr uint32_t kBinCount = 64 << 4;

uint32_t BinOf(float magnitude) {
  const uint32_t bin = std::bit_cast<uint32_t>(magnitude) >> kMantissaShift;
  return std::clamp(bin, kFirstBin, kFirstBin + kBinCount - 1) - kFirstBin;
}

double UpperEdge(size_t bin) {
  return std::bit_cast<float>((static_cast<uint32_t>(bin) + kFirstBin + 1) << kMantissaShift);
}

}  // namespace

ChannelStatistics::ChannelStatistics() : bins_(kBinCount, 0) {}

void ChannelStatistics::Add(const float* first, int64_t count, int64_t stride) {
  if (count > 0 && count_ == 0) min_ = max_ = *first;
  float low = static_cast<float>(min_);
  float high = static_cast<float>(max_);
  double sum = 0;
  double sum_abs = 0;
  double sum_square = 0;
  for (int64_t i = 0; i < count; ++i) {
    const float v = first[i * stride];
    const float magnitude = std::fabs(v);
    low = std::min(low, v);
    high = std::max(high, v);
    sum += v;
    sum_abs += magnitude;
    sum_square += double{v} * v;
    ++bins_[BinOf(magnitude)];
  }
  count_ += count;
  min_ = low;
  max_ = high;
  sum_ += sum;
  sum_abs_ += sum_abs;
  sum_square_ += sum_square;
}

void ChannelStatistics::Merge(const ChannelStatistics& other) {
  if (other.count_ == 0) return;
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = count_ == 0 ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  sum_ += other.sum_;
  sum_abs_ += other.sum_abs_;
  sum_square_ += other.sum_square_;
  for (size_t i = 0; i < bins_.size(); ++i) bins_[i] += other.bins_[i];
}

double ChannelStatistics::Percentile(double percent) const {
  if (percent >= 100) return MaxAbs();
  const double wanted = static_cast<double>(count_) * percent / 100;
  double seen = 0;
  for (size_t i = 0; i < bins_.size(); ++i) {
    seen += bins_[i];
    if (seen >= wanted) return std::min(UpperEdge(i), MaxAbs());
  }
  return MaxAbs();
}

double ChannelStatistics::BestClip(double levels) const {
  const double max_abs = MaxAbs();
  double best = max_abs;
  double best_error = -1;
  for (int step = 0; step <= 40; ++step) {
    const double clip = max_abs * std::exp2(-step / 8.0);
    const double rounding = clip / levels * (clip / levels) / 12;
    double error = 0;
    for (size_t i = 0; i < bins_.size(); ++i) {
      if (bins_[i] == 0) continue;
      const double over = UpperEdge(i) - clip;
      error += bins_[i] * (over > 0 ? over * over : rounding);
    }
    if (best_error >= 0 && error >= best_error) continue;
    best_error = error;
    best = clip;
  }
  return best;
}

void TensorStatistics::Add(TensorView<const float> values) {
  if (channels.empty()) channels.resize(static_cast<size_t>(values.shape.c));
  const int64_t pixels = values.shape.n * values.shape.h * values.shape.w;
  for (int64_t c = 0; c < values.shape.c; ++c) {
    channels[static_cast<size_t>(c)].Add(values.data + c, pixels, values.shape.c);
  }
}

void TensorStatistics::Merge(const TensorStatistics& other) {
  if (channels.empty()) channels.resize(other.channels.size());
  for (size_t c = 0; c < other.channels.size(); ++c) channels[c].Merge(other.channels[c]);
}

double TensorStatistics::MaxAbs() const {
  double largest = 0;
  for (const ChannelStatistics& c : channels) largest = std::max(largest, c.MaxAbs());
  return largest;
}

}  // namespace lichen

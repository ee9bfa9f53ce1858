// MsSsimMeter: a chain of scales per channel. Each scale filters its rows, keeps as many of them as
// the window is high, and hands 2x2 means to the next.
#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "image/metrics.h"

namespace lichen {
namespace {

constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kPeak = 255;  // 16-bit samples are divided by 257
constexpr float kC1 = static_cast<float>((0.01 * kPeak) * (0.01 * kPeak));
constexpr float kC2 = static_cast<float>((0.03 * kPeak) * (0.03 * kPeak));
constexpr double kWeights[MsSsimMeter::kScales] = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

// Means over the window of a, b, a^2, b^2 and ab.
constexpr int kMoments = 5;

std::vector<float> Gaussian(int64_t taps) {
  std::vector<double> weights(static_cast<size_t>(taps));
  double sum = 0;
  for (int64_t i = 0; i < taps; ++i) {
    const double distance = static_cast<double>(i) - static_cast<double>(taps - 1) / 2;
    weights[i] = std::exp(-distance * distance / (2 * kSigma * kSigma));
    sum += weights[i];
  }
  std::vector<float> normalised;
  for (const double weight : weights) normalised.push_back(static_cast<float>(weight / sum));
  return normalised;
}

int ScaleCount(const ImageInfo& info) {
  int count = 1;
  for (int64_t side = std::min(info.height, info.width) / 2;
       side >= kWindow && count < MsSsimMeter::kScales; side /= 2) {
    ++count;
  }
  return count;
}

// out[x] = sum of weights[k] * in[x + k]; taps outermost, so that the inner loop vectorises.
void FilterRow(const float* in, std::span<const float> weights, std::span<float> out) {
  std::fill(out.begin(), out.end(), 0.0f);
  for (size_t k = 0; k < weights.size(); ++k) {
    const float weight = weights[k];
    const float* __restrict source = in + k;
    float* __restrict target = out.data();
    for (size_t x = 0; x < out.size(); ++x) target[x] += weight * source[x];
  }
}

class Scale {
 public:
  Scale(int64_t height, int64_t width)
      : height_(height),
        width_(width),
        vertical_(Gaussian(std::min(kWindow, height))),
        horizontal_(Gaussian(std::min(kWindow, width))),
        valid_width_(static_cast<size_t>(width) - horizontal_.size() + 1) {
    products_.resize(static_cast<size_t>(width));
    for (auto& moment : moments_) moment.resize(valid_width_);
    ring_.resize(vertical_.size() * kMoments * valid_width_);
    half_.resize(2 * static_cast<size_t>((width + 1) / 2));
    held_.resize(2 * static_cast<size_t>(width));
  }

  int64_t height() const { return height_; }
  int64_t width() const { return width_; }

  void AddRow(std::span<const float> a, std::span<const float> b) {
    const int64_t taps = static_cast<int64_t>(vertical_.size());
    const int64_t slot = row_ % taps;
    FilterRow(a.data(), horizontal_, Ring(slot, 0));
    FilterRow(b.data(), horizontal_, Ring(slot, 1));
    AddProduct(a, a, slot, 2);
    AddProduct(b, b, slot, 3);
    AddProduct(a, b, slot, 4);
    ++row_;
    if (row_ >= taps) Accumulate();
  }

  // Takes a row and, when it completes a pair (or is the last), gives the row of 2x2 means: true.
  bool Halve(std::span<const float> a, std::span<const float> b, bool is_last) {
    const size_t width = a.size();
    if (!has_held_ && !is_last) {
      std::copy(a.begin(), a.end(), held_.begin());
      std::copy(b.begin(), b.end(), held_.begin() + static_cast<int64_t>(width));
      has_held_ = true;
      return false;
    }
    const float* above_a = has_held_ ? held_.data() : a.data();
    const float* above_b = has_held_ ? held_.data() + width : b.data();
    const size_t half = half_.size() / 2;
    HalveRow(above_a, a, half_.data());
    HalveRow(above_b, b, half_.data() + half);
    has_held_ = false;
    return true;
  }
  std::span<const float> HalfA() const { return std::span(half_).first(half_.size() / 2); }
  std::span<const float> HalfB() const { return std::span(half_).last(half_.size() / 2); }

  double MeanSsim() const { return ssim_sum_ / static_cast<double>(count_); }
  double MeanContrast() const { return contrast_sum_ / static_cast<double>(count_); }

 private:
  std::span<float> Ring(int64_t slot, int moment) {
    return std::span(ring_).subspan((static_cast<size_t>(slot) * kMoments + moment) * valid_width_,
                                    valid_width_);
  }

  void AddProduct(std::span<const float> a, std::span<const float> b, int64_t slot, int moment) {
    for (size_t x = 0; x < a.size(); ++x) products_[x] = a[x] * b[x];
    FilterRow(products_.data(), horizontal_, Ring(slot, moment));
  }

  void Accumulate() {
    const int64_t taps = static_cast<int64_t>(vertical_.size());
    for (int m = 0; m < kMoments; ++m) {
      std::fill(moments_[m].begin(), moments_[m].end(), 0.0f);
      float* __restrict target = moments_[m].data();
      for (int64_t k = 0; k < taps; ++k) {
        const float weight = vertical_[k];
        const float* __restrict source = Ring((row_ - taps + k) % taps, m).data();
        for (size_t x = 0; x < valid_width_; ++x) target[x] += weight * source[x];
      }
    }
    double contrast_sum = 0;
    double ssim_sum = 0;
    for (size_t x = 0; x < valid_width_; ++x) {
      const float mean_a = moments_[0][x];
      const float mean_b = moments_[1][x];
      const float variance_a = moments_[2][x] - mean_a * mean_a;
      const float variance_b = moments_[3][x] - mean_b * mean_b;
      const float covariance = moments_[4][x] - mean_a * mean_b;
      const float contrast = (2 * covariance + kC2) / (variance_a + variance_b + kC2);
      const float luminance =
          (2 * mean_a * mean_b + kC1) / (mean_a * mean_a + mean_b * mean_b + kC1);
      contrast_sum += contrast;
      ssim_sum += contrast * luminance;
    }
    contrast_sum_ += contrast_sum;
    ssim_sum_ += ssim_sum;
    count_ += static_cast<int64_t>(valid_width_);
  }

  static void HalveRow(const float* above, std::span<const float> below, float* out) {
    const size_t width = below.size();
    for (size_t x = 0; x + 1 < width; x += 2) {
      out[x / 2] = (above[x] + above[x + 1] + below[x] + below[x + 1]) * 0.25f;
    }
    if (width % 2 == 1) out[width / 2] = (above[width - 1] + below[width - 1]) * 0.5f;
  }

  int64_t height_;
  int64_t width_;
  std::vector<float> vertical_;
  std::vector<float> horizontal_;
  size_t valid_width_;
  std::vector<float> products_;
  std::vector<float> ring_;  // [slot][moment][x]: horizontally filtered rows
  std::array<std::vector<float>, kMoments> moments_;
  std::vector<float> half_;  // a row of means of a, then of b
  std::vector<float> held_;  // the upper row of a pair, a then b
  bool has_held_ = false;
  int64_t row_ = 0;
  double contrast_sum_ = 0;
  double ssim_sum_ = 0;
  int64_t count_ = 0;
};

}  // namespace

struct MsSsimMeter::Channel {
  std::vector<Scale> scales;
  std::vector<float> row_a;
  std::vector<float> row_b;

  void AddRow(int64_t y) {
    std::span<const float> a = row_a;
    std::span<const float> b = row_b;
    for (size_t s = 0; s < scales.size(); ++s) {
      scales[s].AddRow(a, b);
      const bool is_last = y + 1 == scales[s].height();
      if (s + 1 == scales.size() || !scales[s].Halve(a, b, is_last)) return;
      a = scales[s].HalfA();
      b = scales[s].HalfB();
      y /= 2;
    }
  }
};

MsSsimMeter::MsSsimMeter(const ImageInfo& info) : info_(info), scale_count_(ScaleCount(info)) {
  LICHEN_CHECK(CheckImageInfo(info).has_value());
  for (int c = 0; c < info.ColourChannels(); ++c) {
    auto channel = std::make_unique<Channel>();
    int64_t height = info.height;
    int64_t width = info.width;
    for (int s = 0; s < scale_count_; ++s) {
      channel->scales.emplace_back(height, width);
      height = (height + 1) / 2;
      width = (width + 1) / 2;
    }
    channel->row_a.resize(static_cast<size_t>(info.width));
    channel->row_b.resize(static_cast<size_t>(info.width));
    channels_.push_back(std::move(channel));
  }
}
MsSsimMeter::~MsSsimMeter() = default;
MsSsimMeter::MsSsimMeter(MsSsimMeter&&) noexcept = default;
MsSsimMeter& MsSsimMeter::operator=(MsSsimMeter&&) noexcept = default;

void MsSsimMeter::AddRow(std::span<const uint16_t> a, std::span<const uint16_t> b) {
  LICHEN_CHECK(next_row_ < info_.height);
  LICHEN_CHECK(a.size() == static_cast<size_t>(info_.RowSamples()) && b.size() == a.size());
  const float factor = static_cast<float>(kPeak / info_.MaxSample());
  for (size_t c = 0; c < channels_.size(); ++c) {
    Channel& channel = *channels_[c];
    for (size_t x = 0; x < channel.row_a.size(); ++x) {
      const size_t i = x * static_cast<size_t>(info_.channels) + c;
      channel.row_a[x] = static_cast<float>(a[i]) * factor;
      channel.row_b[x] = static_cast<float>(b[i]) * factor;
    }
    channel.AddRow(next_row_);
  }
  ++next_row_;
}

double MsSsimMeter::MsSsim() const {
  LICHEN_CHECK(next_row_ == info_.height);
  double weight_sum = 0;
  for (int s = 0; s < scale_count_; ++s) weight_sum += kWeights[s];
  double sum = 0;
  for (const auto& channel : channels_) {
    double product = 1;
    for (int s = 0; s < scale_count_; ++s) {
      const Scale& scale = channel->scales[s];
      const bool is_coarsest = s + 1 == scale_count_;
      const double term = is_coarsest ? scale.MeanSsim() : scale.MeanContrast();
      product *= std::pow(std::max(term, 0.0), kWeights[s] / weight_sum);
    }
    sum += product;
  }
  return sum / static_cast<double>(channels_.size());
}

}  // namespace lichen

// What values the tensors of a float graph take, per channel.
//
// Contract: magnitudes are counted in bins of 1/16 octave, so that quantiles are exact to 6 %;
// minimum, maximum and moments are exact. Sums depend on the order of Add() and Merge().
#pragma once

#include <cstdint>
#include <vector>

#include "base/tensor.h"

namespace lichen {

class ChannelStatistics {
 public:
  ChannelStatistics();
  void Add(const float* first, int64_t count, int64_t stride);
  void Merge(const ChannelStatistics& other);

  int64_t count() const { return count_; }
  double min() const { return min_; }
  double max() const { return max_; }
  double MaxAbs() const { return -min_ > max_ ? -min_ : max_; }
  double Mean() const { return count_ ? sum_ / static_cast<double>(count_) : 0; }
  double MeanAbs() const { return count_ ? sum_abs_ / static_cast<double>(count_) : 0; }
  double MeanSquare() const { return count_ ? sum_square_ / static_cast<double>(count_) : 0; }

  // A magnitude that `percent` of the values do not exceed; 100: the largest.
  double Percentile(double percent) const;
  // The magnitude at which to saturate for the least mean square error of `levels` steps from 0.
  double BestClip(double levels) const;

 private:
  int64_t count_ = 0;
  double min_ = 0;
  double max_ = 0;
  double sum_ = 0;
  double sum_abs_ = 0;
  double sum_square_ = 0;
  std::vector<uint32_t> bins_;
};

struct TensorStatistics {
  std::vector<ChannelStatistics> channels;  // empty: never seen
  void Add(TensorView<const float> values);
  void Merge(const TensorStatistics& other);
  double MaxAbs() const;
};

}  // namespace lichen

#include "net/proof.h"

#include <algorithm>
#include <bit>
#include <cstdlib>

#include "base/check.h"

namespace lichen {
namespace {

constexpr int64_t kSegmentLimit = int64_t{1} << 31;
constexpr int64_t kWideLimit = int64_t{1} << 62;

// Weights whose sums are taken at once.
constexpr int64_t kChunk = 64;

// Adds products, in the order in which they are given.
class SumBuilder {
 public:
  explicit SumBuilder(ValueRange input)
      : low_(std::min<int64_t>(input.min, 0)),
        high_(std::max<int64_t>(input.max, 0)),
        max_abs_(std::max(high_, -low_)) {}

  void Add(const int16_t* weights, int64_t count) {
    int64_t at = 0;
    for (; at + kChunk <= count; at += kChunk) AddChunk(weights + at);
    for (; at < count; ++at) AddOne(weights[at]);
  }

  ChannelSum sum() const {
    return {.min = positive_ * low_ + negative_ * high_,
            .max = positive_ * high_ + negative_ * low_,
            .segments = segments_};
  }

 private:
  void AddOne(int64_t weight) {
    (weight < 0 ? negative_ : positive_) += weight;
    const int64_t magnitude = std::abs(weight) * max_abs_;
    if (segment_ + magnitude >= kSegmentLimit) {
      ++segments_;
      segment_ = 0;
    }
    segment_ += magnitude;
  }

  // The same, unless the segment ends within the chunk, from two sums.
  void AddChunk(const int16_t* weights) {
    int32_t sum = 0;
    int32_t magnitude = 0;
    for (int64_t i = 0; i < kChunk; ++i) {
      const int32_t weight = weights[i];
      sum += weight;
      magnitude += weight < 0 ? -weight : weight;
    }
    if (segment_ + magnitude * max_abs_ >= kSegmentLimit) {
      for (int64_t i = 0; i < kChunk; ++i) AddOne(weights[i]);
      return;
    }
    positive_ += (magnitude + sum) / 2;
    negative_ += (sum - magnitude) / 2;
    segment_ += magnitude * max_abs_;
  }

  int64_t low_;
  int64_t high_;
  int64_t max_abs_;
  int64_t positive_ = 0;  // sums of the weights of either sign
  int64_t negative_ = 0;
  int64_t segment_ = 0;
  decltype(ChannelSum::segments) segments_ = ChannelSum().segments;
};

ChannelSum BoundRun(ValueRange input, const int16_t* weights, int64_t count) {
  SumBuilder builder(input);
  builder.Add(weights, count);
  return builder.sum();
}

ChannelSum Worst(const ChannelSum& a, const ChannelSum& b) {
  return {std::min(a.min, b.min), std::max(a.max, b.max), std::max(a.segments, b.segments)};
}

// One output channel of a transposed convolution: taps ky = phase_y, phase_y + stride_h, ...
ChannelSum BoundPhases(const Geometry& g, ValueRange input, const int16_t* weights,
                       int64_t channels) {
  ChannelSum worst;  // a phase without taps gives 0
  for (int64_t phase_y = 0; phase_y < std::min(g.stride_h, g.kernel_h); ++phase_y) {
    for (int64_t phase_x = 0; phase_x < std::min(g.stride_w, g.kernel_w); ++phase_x) {
      SumBuilder builder(input);
      for (int64_t ky = phase_y; ky < g.kernel_h; ky += g.stride_h) {
        for (int64_t kx = phase_x; kx < g.kernel_w; kx += g.stride_w) {
          builder.Add(weights + (ky * g.kernel_w + kx) * channels, channels);
        }
      }
      worst = Worst(worst, builder.sum());
    }
  }
  return worst;
}

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

bool HasProducts(OpKind kind) {
  switch (kind) {
    case OpKind::kConv2d:
    case OpKind::kConvTranspose2d:
    case OpKind::kLinear:
    case OpKind::kGdn:
    case OpKind::kIgdn:
    case OpKind::kLagc:
      return true;
    default:
      return false;
  }
}

SumBounds BoundSums(const IntGraph& graph, const IntNode& node) {
  LICHEN_CHECK(HasProducts(node.kind));
  const TensorInfo& input = graph.tensor(node.inputs[0]);
  const int64_t outputs = graph.tensor(node.output).channels;
  const Geometry& g = node.geometry;
  const bool is_transposed = node.kind == OpKind::kConvTranspose2d;
  const bool is_norm = node.kind == OpKind::kGdn || node.kind == OpKind::kIgdn;
  const ValueRange range = is_norm ? ValueRange{0, input.range.MaxAbs()} : input.range;
  const int64_t count = static_cast<int64_t>(node.params.weights.size()) / outputs;

  SumBounds bounds;
  bounds.channels.reserve(static_cast<size_t>(outputs));
  for (int64_t oc = 0; oc < outputs; ++oc) {
    const int16_t* weights = node.params.weights.data() + oc * count;
    bounds.channels.push_back(is_transposed
                                  ? BoundPhases(g, range, weights, input.channels / g.groups)
                                  : BoundRun(range, weights, count));
  }
  bounds.products = !is_transposed
                        ? count
                        : CeilDiv(g.kernel_h, g.stride_h) * CeilDiv(g.kernel_w, g.stride_w) *
                              (input.channels / g.groups);
  return bounds;
}

ValueRange PlainSumRange(const IntGraph& graph, const IntNode& node) {
  constexpr int64_t kFar = int64_t{1} << 60;  // sums are below 2^58
  const SumBounds sums = BoundSums(graph, node);
  ValueRange range;
  for (size_t c = 0; c < sums.channels.size(); ++c) {
    const int64_t bias = std::clamp(node.params.requant.At(c, {}).bias, -kFar, kFar);
    range.min = std::min(range.min, sums.channels[c].min + bias);
    range.max = std::max(range.max, sums.channels[c].max + bias);
  }
  return range;
}

Result<int64_t> BoundRequant(const ChannelRequant& requant, const std::vector<ValueRange>& values,
                             int64_t channels) {
  using Wide = __int128;
  Wide largest = 0;
  const Wide half = requant.post_shift ? Wide{1} << (requant.post_shift - 1) : 0;
  for (int64_t c = 0; c < channels; ++c) {
    const Requant r = requant.At(static_cast<size_t>(c), {});
    const ValueRange& value = values[values.size() == 1 ? 0 : static_cast<size_t>(c)];
    const Wide a = Wide{value.min} * r.multiplier;
    const Wide b = Wide{value.max} * r.multiplier;
    const Wide low = std::min(a, b);
    const Wide high = std::max(a, b);
    const Wide product = std::max(-low, high);
    if (product >= kWideLimit) return Fail("channel {}: |value * multiplier| can reach 2^62", c);
    const Wide sum_low = (low >> r.pre_shift) + r.bias + half;
    const Wide sum_high = (high >> r.pre_shift) + r.bias + half;
    const Wide bias_only = r.bias < 0 ? -Wide{r.bias} : Wide{r.bias};
    const Wide sum = std::max({-sum_low, sum_high, bias_only});
    if (sum >= kWideLimit) {
      return Fail("channel {}: the sum with bias and half can reach 2^62", c);
    }
    largest = std::max({largest, product, sum});
  }
  return static_cast<int64_t>(largest);
}

int32_t BitsOf(ValueRange range) {
  const auto width = [](int64_t v) { return std::bit_width(static_cast<uint64_t>(v)); };
  if (range.min >= 0) return std::max(1, static_cast<int32_t>(width(range.max)));
  const int64_t high = std::max<int64_t>(range.max, 0);
  return static_cast<int32_t>(std::max(width(high), width(-(range.min + 1)))) + 1;
}

int32_t SignedBitsOf(const std::vector<int16_t>& weights) {
  // Bits that differ from the sign, of any weight.
  uint16_t used = 0;
  for (const int16_t w : weights) used |= static_cast<uint16_t>(w ^ (w >> 15));
  return static_cast<int32_t>(std::bit_width(used)) + 1;
}

}  // namespace lichen

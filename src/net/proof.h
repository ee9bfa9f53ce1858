// Bounds of the sums of products of a node, from its weights and the range of its input.
//
// Contract: every zero that padding may read is allowed for: a tap of weight w adds
// max(w*max, w*min, 0) to the upper bound and min(w*max, w*min, 0) to the lower one. ConvTranspose2d
// is bounded per phase (the taps that one output pixel really has) and the worst phase counts.
// Gdn and Igdn sum over |x|, in [0, max |x|]. Requires a node whose parameter counts were checked, so
// that sums stay below 2^58. O(weights).
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "net/int_net.h"

namespace lichen {

// The sums of one output channel. A segment is a maximal run of products, in (ky, kx, ic) order,
// whose sum of |w| * max |x| stays below 2^31; the split is greedy.
struct ChannelSum {
  int64_t min = 0;
  int64_t max = 0;
  int32_t segments = 1;
};

struct SumBounds {
  std::vector<ChannelSum> channels;
  int64_t products = 0;  // per output value, the most of any phase
};

bool HasProducts(OpKind kind);

SumBounds BoundSums(const IntGraph& graph, const IntNode& node);

// The range of acc + bias of a node that does not scale (a last layer). It may exceed 32 bits.
ValueRange PlainSumRange(const IntGraph& graph, const IntNode& node);

// The largest absolute intermediate, |value * multiplier| or the sum with bias and half, over all
// channels; error if it reaches 2^62. values[c], or values[0] for all channels.
Result<int64_t> BoundRequant(const ChannelRequant& requant, const std::vector<ValueRange>& values,
                             int64_t channels);

// Bits that hold a range: unsigned where min >= 0, otherwise two's complement.
int32_t BitsOf(ValueRange range);
// Signed bits that hold every weight (at least 1).
int32_t SignedBitsOf(const std::vector<int16_t>& weights);

}  // namespace lichen

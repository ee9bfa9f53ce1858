// Requantisers with narrower multipliers that give the same results.
//
// Contract: exact. A requantiser is a staircase over the sums that can occur; another multiplier does
// where a bias exists that puts every step at the same sum.
#pragma once

#include <cstdint>
#include <vector>

#include "base/requantise.h"

namespace lichen::tile {

// `sums[c]` bounds channel c's sums, `range` the results. Channels whose multiplier exceeds
// max_multiplier get one that does not, if there is one that gives the same result for each sum;
// others keep theirs, with other shifts. Returns the requantiser as it was where a channel has none.
ChannelRequant NarrowRequant(const ChannelRequant& requant, const std::vector<ValueRange>& sums,
                             ValueRange range, int64_t max_multiplier);

}  // namespace lichen::tile

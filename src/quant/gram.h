// Second moments of what a sum of products sees: how rounding errors of its weights add up.
//
// Contract: an output has the mean square error e' G e, for weight errors e and the Gram matrix G
// of its inputs (Gdn, Igdn: |x|), less the part that the bias can take where there is one phase. A
// transposed convolution has a matrix per phase (the taps that one output pixel really has).
// Deterministic. Sums over more than kMaxGramInputs products, and grouped ones, get none.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "net/float_net.h"
#include "quant/calibration.h"

namespace lichen {

inline constexpr int64_t kMaxGramInputs = 4096;

struct GramPhase {
  std::vector<size_t> inputs;  // index of each input's weight among those of one output, ky kx ic
  std::vector<float> matrix;   // inputs x inputs, symmetric
  std::vector<double> mean;
};

struct Gram {
  int64_t sample_count = 0;  // per phase
  std::vector<GramPhase> phases;
};

// By graph and node of the net; without phases where a node has no such sum. Runs a part of the
// pictures in one thread, so that sums are the same everywhere; for a codec of 128 channels that
// takes some 150 megabytes and seconds. The net must have passed CheckQuantisable().
Result<std::vector<std::vector<Gram>>> CollectGrams(const FloatNet& net,
                                                    const Calibration& calibration);

// Moves the whole weights `rounded` of one output near `targets` (in steps) for less e' G e, one
// weight at a time; e = (targets - rounded) / input_scale. All stay in [min, max].
void RefineRounding(const GramPhase& phase, const std::vector<double>& targets,
                    const std::vector<double>& input_scale, int64_t min, int64_t max,
                    std::vector<int16_t>& rounded);

}  // namespace lichen

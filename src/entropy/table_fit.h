// Makes probability tables: from symbol counts of calibration pictures, or from Gaussians.
//
// Contract: results pass CheckTables. Deterministic on one machine; they use floating point, so tables are made once and
// stored in the model, never remade by a decoder.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "entropy/table.h"

namespace lichen {

// How often each symbol min_symbol + i occurred.
struct SymbolCounts {
  int32_t min_symbol = 0;
  std::vector<uint64_t> counts;

  void Add(int32_t symbol, uint64_t times = 1);
  uint64_t Total() const;
};

// Adds symbols in NHWC order to the counts of their channels (position % counts.size()).
void CountPerChannel(std::span<const int16_t> symbols, std::span<SymbolCounts> counts);

// Frequencies >= 1 that sum to 1 << prob_bits and minimise the expected code length
// sum w_i * -log2(f_i). Requires 1 to 1 << prob_bits weights, finite and >= 0.
std::vector<uint32_t> QuantiseWeights(std::span<const double> weights, int prob_bits);

struct FitOptions {
  int prob_bits = 12;
  int max_symbols = 1024;  // frequencies per table, escape included; >= 2
  double prior_count =
      8;  // pseudo-counts, spread as a two-sided geometric somewhat wider than the data
};
// A table with an escape. The symbols of its range are those that deserve at least half a slot after smoothing.
ProbabilityTable FitTable(const SymbolCounts& counts, const FitOptions& options);

// Table i is a Gaussian of mean 0 and standard deviation 2^(log2_first_scale + i * log2_scale_step), unit bins. The
// defaults are StreamLIC's 128 tables.
struct GaussianOptions {
  int table_count = 128;
  double log2_first_scale = -111.0 / 32;
  double log2_scale_step = 3.0 / 32;
  int32_t max_symbol = 127;              // symbols -max_symbol to max_symbol
  double min_probability = 1.0 / 65536;  // before renormalising
  int prob_bits = 16;
  // Drop symbols that deserve less than half a slot and add an escape for them.
  bool has_escape = false;
};
TableSet GaussianTables(const GaussianOptions& options = {});

// The same, fitted to counts: Gaussian i stands for prior_count symbols beside those of counts[i], so
// that a table without symbols is its Gaussian. Symbols outside a table count for its escape, or
// not at all. Requires table_count counts and prior_count > 0.
TableSet FitGaussianTables(std::span<const SymbolCounts> counts, const GaussianOptions& options,
                           double prior_count);

// Expected bits of the counted symbols under the table, escapes included. O(counts).
double ExpectedBits(const ProbabilityTable& table, int prob_bits, const SymbolCounts& counts);

}  // namespace lichen

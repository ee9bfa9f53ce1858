#include "entropy/table_fit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <queue>
#include <utility>

#include "base/check.h"
#include "entropy/escape.h"

namespace lichen {
namespace {

// Cost saved by one more slot, and cost caused by one less (times ln 2). A weight of 0 counts as a little.
double Gain(double weight, uint32_t f) { return weight * std::log1p(1.0 / f); }
double Loss(double weight, uint32_t f) { return weight * std::log1p(1.0 / (f - 1)); }

// Moves single slots from the cheapest donor to the dearest taker until no move helps.
void ExchangeSlots(std::span<const double> weights, std::vector<uint32_t>& f) {
  using Item = std::pair<double, size_t>;
  std::priority_queue<Item> takers;
  std::priority_queue<Item, std::vector<Item>, std::greater<>> donors;
  const auto push = [&](size_t i) {
    takers.emplace(Gain(weights[i], f[i]), i);
    if (f[i] > 1) donors.emplace(Loss(weights[i], f[i]), i);
  };
  for (size_t i = 0; i < f.size(); ++i) push(i);
  const auto stale_taker = [&] {
    return takers.top().first != Gain(weights[takers.top().second], f[takers.top().second]);
  };
  const auto stale_donor = [&] {
    const size_t i = donors.top().second;
    return f[i] < 2 || donors.top().first != Loss(weights[i], f[i]);
  };
  for (size_t moves = 0; moves < 4 * f.size() + 64; ++moves) {
    while (!takers.empty() && stale_taker()) takers.pop();
    while (!donors.empty() && stale_donor()) donors.pop();
    if (takers.empty() || donors.empty()) return;
    const auto [gain, taker] = takers.top();
    const auto [loss, donor] = donors.top();
    if (gain <= loss * (1 + 1e-12) || taker == donor) return;
    takers.pop();
    donors.pop();
    ++f[taker];
    --f[donor];
    push(taker);
    push(donor);
  }
}

// Centre and mean absolute deviation.
struct Spread {
  int32_t centre = 0;
  double deviation = 0;
};

Spread MeasureSpread(const SymbolCounts& counts, uint64_t total) {
  Spread spread;
  uint64_t below = 0;
  for (size_t i = 0; i < counts.counts.size(); ++i) {
    below += counts.counts[i];
    if (2 * below >= total) {
      spread.centre = counts.min_symbol + static_cast<int32_t>(i);
      break;
    }
  }
  for (size_t i = 0; i < counts.counts.size(); ++i) {
    const int32_t symbol = counts.min_symbol + static_cast<int32_t>(i);
    spread.deviation += static_cast<double>(counts.counts[i]) * std::abs(symbol - spread.centre);
  }
  spread.deviation /= static_cast<double>(total);
  return spread;
}

}  // namespace

void SymbolCounts::Add(int32_t symbol, uint64_t times) {
  if (counts.empty()) min_symbol = symbol;
  if (symbol < min_symbol) {
    counts.insert(counts.begin(), static_cast<size_t>(min_symbol - symbol), 0);
    min_symbol = symbol;
  }
  const size_t i = static_cast<size_t>(symbol - min_symbol);
  if (i >= counts.size()) counts.resize(i + 1);
  counts[i] += times;
}

uint64_t SymbolCounts::Total() const {
  return std::accumulate(counts.begin(), counts.end(), uint64_t{0});
}

void CountPerChannel(std::span<const int16_t> symbols, std::span<SymbolCounts> counts) {
  LICHEN_CHECK(!counts.empty() && symbols.size() % counts.size() == 0);
  size_t c = 0;
  for (const int16_t symbol : symbols) {
    counts[c].Add(symbol);
    if (++c == counts.size()) c = 0;
  }
}

std::vector<uint32_t> QuantiseWeights(std::span<const double> weights, int prob_bits) {
  const int64_t slots = int64_t{1} << prob_bits;
  LICHEN_CHECK(!weights.empty() && static_cast<int64_t>(weights.size()) <= slots);
  double sum = 0;
  for (const double w : weights) {
    LICHEN_CHECK(std::isfinite(w) && w >= 0);
    sum += w;
  }
  // A floor keeps equal treatment among symbols of weight 0 and the sum away from 0.
  const double floor = std::max(sum, 1.0) * 1e-9;
  std::vector<double> floored(weights.size());
  std::transform(weights.begin(), weights.end(), floored.begin(),
                 [&](double w) { return std::max(w, floor); });
  sum = std::accumulate(floored.begin(), floored.end(), 0.0);

  std::vector<uint32_t> f(weights.size());
  int64_t left = slots;
  for (size_t i = 0; i < f.size(); ++i) {
    f[i] = std::max(1u, static_cast<uint32_t>(floored[i] / sum * static_cast<double>(slots)));
    left -= f[i];
  }
  using Item = std::pair<double, size_t>;
  if (left > 0) {
    std::priority_queue<Item> queue;
    for (size_t i = 0; i < f.size(); ++i) queue.emplace(Gain(floored[i], f[i]), i);
    for (; left > 0; --left) {
      const size_t i = queue.top().second;
      queue.pop();
      ++f[i];
      queue.emplace(Gain(floored[i], f[i]), i);
    }
  } else if (left < 0) {
    std::priority_queue<Item, std::vector<Item>, std::greater<>> queue;
    for (size_t i = 0; i < f.size(); ++i) {
      if (f[i] > 1) queue.emplace(Loss(floored[i], f[i]), i);
    }
    for (; left < 0; ++left) {
      const size_t i = queue.top().second;
      queue.pop();
      --f[i];
      if (f[i] > 1) queue.emplace(Loss(floored[i], f[i]), i);
    }
  }
  ExchangeSlots(floored, f);
  return f;
}

ProbabilityTable FitTable(const SymbolCounts& counts, const FitOptions& options) {
  LICHEN_CHECK(options.max_symbols >= 2 && options.max_symbols <= kMaxTableSymbols);
  const uint64_t total = counts.Total();
  const Spread spread = total ? MeasureSpread(counts, total) : Spread{};
  const double mass = static_cast<double>(total) + options.prior_count;
  // E|x| = 2 t / (1 - t^2) of the two-sided geometric t^|x|, solved for t; somewhat wider than seen.
  const double a = 1.25 * spread.deviation + 1.0 / mass;
  const double t = (std::sqrt(1 + a * a) - 1) / a;
  const auto weight = [&](int32_t symbol) {
    const int64_t i = int64_t{symbol} - counts.min_symbol;
    const bool seen = i >= 0 && i < static_cast<int64_t>(counts.counts.size());
    const double prior = (1 - t) / (1 + t) * std::pow(t, std::abs(symbol - spread.centre));
    return options.prior_count * prior +
           (seen ? static_cast<double>(counts.counts[static_cast<size_t>(i)]) : 0);
  };
  // The range: grow from the centre to the farthest symbols worth half a slot, then trim the lighter end.
  const double half_slot = 0.5 * mass / static_cast<double>(1 << options.prob_bits);
  const int32_t reach = options.max_symbols - 1;
  int32_t lo = spread.centre;
  int32_t hi = spread.centre;
  for (int32_t d = 1; d < reach; ++d) {
    if (spread.centre - d >= -kMaxTableSymbol && weight(spread.centre - d) >= half_slot)
      lo = spread.centre - d;
    if (spread.centre + d <= kMaxTableSymbol && weight(spread.centre + d) >= half_slot)
      hi = spread.centre + d;
  }
  lo = std::clamp(lo, -kMaxTableSymbol, kMaxTableSymbol);
  hi = std::clamp(hi, lo, kMaxTableSymbol);
  while (hi - lo + 1 > reach) {
    if (weight(lo) < weight(hi))
      ++lo;
    else
      --hi;
  }
  ProbabilityTable table{.min_symbol = lo, .has_escape = true};
  std::vector<double> weights;
  double inside = 0;
  for (int32_t symbol = lo; symbol <= hi; ++symbol) {
    weights.push_back(weight(symbol));
    inside += weights.back();
  }
  weights.push_back(std::max(0.0, mass - inside));
  table.frequencies = QuantiseWeights(weights, options.prob_bits);
  return table;
}

TableSet GaussianTables(const GaussianOptions& options) {
  const std::vector<SymbolCounts> none(static_cast<size_t>(options.table_count));
  return FitGaussianTables(none, options, 1);
}

TableSet FitGaussianTables(std::span<const SymbolCounts> counts, const GaussianOptions& options,
                           double prior_count) {
  LICHEN_CHECK(options.max_symbol >= 0 && 2 * options.max_symbol + 2 <= kMaxTableSymbols);
  LICHEN_CHECK(static_cast<int>(counts.size()) == options.table_count && prior_count > 0);
  TableSet set{.prob_bits = options.prob_bits};
  for (int i = 0; i < options.table_count; ++i) {
    const double scale = std::exp2(options.log2_first_scale + i * options.log2_scale_step);
    // Mass above x; erfc keeps its precision in the tail.
    const auto above = [&](double x) { return 0.5 * std::erfc(x / scale / std::sqrt(2.0)); };
    const auto mass = [&](int32_t symbol) {
      const double distance = std::abs(symbol);
      return symbol == 0 ? 1 - 2 * above(0.5) : above(distance - 0.5) - above(distance + 0.5);
    };
    const SymbolCounts& seen = counts[static_cast<size_t>(i)];
    const double total = static_cast<double>(seen.Total());
    const auto count = [&](int32_t symbol) {
      const int64_t at = int64_t{symbol} - seen.min_symbol;
      const bool inside = at >= 0 && at < static_cast<int64_t>(seen.counts.size());
      return inside ? static_cast<double>(seen.counts[static_cast<size_t>(at)]) : 0.0;
    };
    int32_t reach = options.max_symbol;
    if (options.has_escape) {
      const double half_slot =
          0.5 * (prior_count + total) / static_cast<double>(1 << options.prob_bits);
      while (reach > 0 &&
             prior_count * mass(reach) + std::max(count(reach), count(-reach)) < half_slot) {
        --reach;
      }
    }
    std::vector<double> weights;
    double counted = 0;
    for (int32_t symbol = -reach; symbol <= reach; ++symbol) {
      const double prior = std::max(mass(symbol), options.min_probability);
      weights.push_back(prior_count * prior + count(symbol));
      counted += count(symbol);
    }
    if (options.has_escape) {
      weights.push_back(prior_count * 2 * above(reach + 0.5) + total - counted);
    }
    set.tables.push_back({.min_symbol = -reach,
                          .frequencies = QuantiseWeights(weights, options.prob_bits),
                          .has_escape = options.has_escape});
  }
  return set;
}

double ExpectedBits(const ProbabilityTable& table, int prob_bits, const SymbolCounts& counts) {
  double bits = 0;
  for (size_t i = 0; i < counts.counts.size(); ++i) {
    if (counts.counts[i] == 0) continue;
    const int32_t symbol = counts.min_symbol + static_cast<int32_t>(i);
    const bool inside = symbol >= table.min_symbol && symbol <= table.MaxSymbol();
    LICHEN_CHECK(inside || table.has_escape);
    const uint32_t f = inside ? table.frequencies[static_cast<size_t>(symbol - table.min_symbol)]
                              : table.frequencies.back();
    const double escape_bits =
        inside ? 0 : 8.0 * EscapeBytes(EscapeCode(symbol, table.min_symbol, table.MaxSymbol()));
    bits += static_cast<double>(counts.counts[i]) * (prob_bits - std::log2(f) + escape_bits);
  }
  return bits;
}

}  // namespace lichen

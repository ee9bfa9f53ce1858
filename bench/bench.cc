#include "bench/bench.h"

#include <algorithm>

#include "base/check.h"

namespace lichen {

BenchRow MakeBenchRow(std::string name, std::string unit, std::vector<double> values) {
  LICHEN_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t n = values.size();
  const double median = (values[(n - 1) / 2] + values[n / 2]) / 2;
  return {std::move(name), std::move(unit), median,
          values.front(),  values.back(),   static_cast<int>(n)};
}

}  // namespace lichen

#include <algorithm>
#include <span>

#include "accel/fusion/stream_run.h"

namespace lichen::fusion {
namespace {

// Adds weight * input to a row of sums. Products of 8-bit operands fit in 16 bits.
void AddTap(const uint16_t* input, uint16_t weight, std::span<uint32_t> row) {
  uint32_t* const sum = row.data();
  const size_t count = row.size();
  for (size_t x = 0; x < count; ++x) sum[x] += static_cast<uint16_t>(input[x] * weight);
}

}  // namespace

StreamRun RunFast(const WindowJob& job, const Operands& operands) {
  const std::vector<uint16_t> inputs(operands.inputs.begin(), operands.inputs.end());
  const int64_t parts = job.ColumnsPerWindow();
  StreamRun run{.sums = std::vector<uint32_t>(static_cast<size_t>(job.Uses())),
                .counts = Count(job)};
  if (job.Windows() == 0) return run;
  uint32_t* out = run.sums.data();
  const auto width = static_cast<size_t>(job.OutputWidth());
  std::vector<uint32_t> apart(width);  // a row of one part's sums, which do not lie side by side
  for (int64_t n = 0; n < job.input.count; ++n) {
    for (int64_t k = 0; k < job.kernel.count; ++k) {
      const uint8_t* weights = operands.weights.data() + k * job.Taps();
      for (int64_t y = 0; y < job.OutputHeight(); ++y) {
        const uint16_t* input = inputs.data() + (n * job.PaddedHeight() + y) * job.PaddedWidth();
        for (int64_t part = 0; part < parts; ++part) {
          const std::span<uint32_t> row = parts == 1 ? std::span(out, width) : std::span(apart);
          std::ranges::fill(row, 0);
          const int64_t first = part * job.Capacity();
          for (int64_t tap = first; tap < first + job.TapsOfPart(part); ++tap) {
            const int64_t ky = tap / job.kernel.width;
            const int64_t kx = tap % job.kernel.width;
            AddTap(input + ky * job.PaddedWidth() + kx, weights[tap], row);
          }
          if (parts == 1) continue;
          for (size_t x = 0; x < width; ++x) {
            out[static_cast<int64_t>(x) * parts + part] = row[x];
          }
        }
        out += job.OutputWidth() * parts;
      }
    }
  }
  return run;
}

}  // namespace lichen::fusion

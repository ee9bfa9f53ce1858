#include "accel/fusion/stream_run.h"

#include <algorithm>

namespace lichen::fusion {
namespace {

using Line = StreamReader::Line;

StreamLimits LimitsOf(const WindowJob& job) {
  StreamLimits limits{.array = job.array,
                      .input_bytes = job.InputBytes(),
                      .weight_bytes = job.WeightBytes(),
                      .pair = job.pair};
  if (job.mode == Mode::kFixed) limits.obuf_bytes = job.obuf_bytes;
  return limits;
}

// By brick, for a unit's configuration.
using BrickShifts = std::array<uint8_t, kBricksPerUnit>;

BrickShifts ShiftsOf(const std::array<uint8_t, 4>& quadrant_shifts) {
  BrickShifts shifts{};
  for (int brick = 0; brick < kBricksPerUnit; ++brick) {
    shifts[static_cast<size_t>(brick)] = static_cast<uint8_t>(
        ShiftInQuadrant(brick) + quadrant_shifts[static_cast<size_t>(QuadrantOf(brick))]);
  }
  return shifts;
}

Result<void> Compare(std::string_view what, int64_t has, int64_t needs,
                     const StreamReader& reader) {
  if (has == needs) return {};
  return Fail("line {}: the stream ends with {} {}; these shapes, widths and array need {}",
              reader.LineNumber(), has, what, needs);
}

}  // namespace

Result<StreamRun> RunStream(const WindowJob& job, const Operands& operands, std::string_view text) {
  StreamReader reader(text, LimitsOf(job));
  const Counts expected = Count(job);
  StreamRun run;
  // Both bounds are of what is in memory already.
  run.sums.reserve(std::min(static_cast<size_t>(job.Uses()), text.size()));
  BrickShifts shifts{};
  uint32_t sum = 0;
  Counts& counts = run.counts;
  const auto store = [&] {
    if (!run.sums.empty()) run.sums.back() = sum;
  };
  Line line;
  while ((line = reader.Next()) != Line::kEnd) {
    switch (line) {
      case Line::kMultiply: {
        const uint32_t input = operands.inputs[reader.input_byte()];
        const uint32_t weight = operands.weights[reader.weight_byte()];
        for (const BrickBits& b : reader.bricks()) {
          sum += (input >> b.input_bit & 3) * (weight >> b.weight_bit & 3) << shifts[b.brick];
        }
        counts.bricks_used += static_cast<int64_t>(reader.bricks().size());
        break;
      }
      case Line::kConfigure:
        shifts = ShiftsOf(reader.quadrant_shifts());
        ++counts.units_used;
        break;
      case Line::kStore:
        store();
        run.sums.push_back(0);
        sum = 0;
        break;
      case Line::kCycle:
        ++counts.cycles;
        break;
      default:
        return tl::unexpected(reader.error());
    }
  }
  store();
  const auto uses = static_cast<int64_t>(run.sums.size());
  counts.units_total = counts.cycles * job.array.h * job.array.w;
  counts.bricks_total = counts.units_total * kBricksPerUnit;
  counts.instructions = counts.bricks_used + counts.units_used + uses;
  LICHEN_TRY_VOID(Compare("cycles", counts.cycles, expected.cycles, reader));
  LICHEN_TRY_VOID(Compare("stored sums", uses, job.Uses(), reader));
  LICHEN_TRY_VOID(Compare("units", counts.units_used, expected.units_used, reader));
  LICHEN_TRY_VOID(Compare("bricks", counts.bricks_used, expected.bricks_used, reader));
  return run;
}

Result<WindowJob> InferJob(std::string_view text, const Shape3& input, const Shape3& kernel) {
  WindowJob job{.input = input, .kernel = kernel, .array = {1, 1}, .pair = {2, 2}};
  StreamReader reader(text, {});
  int64_t uses = 0;
  int64_t windows = 0;
  int64_t last_start = 0;  // the use that began the last window
  Line line;
  while ((line = reader.Next()) != Line::kEnd) {
    if (line == Line::kError) return tl::unexpected(reader.error());
    if (line == Line::kStore) ++uses;
    if (line != Line::kMultiply) continue;
    job.array.h = std::max(job.array.h, reader.row() + 1);
    job.array.w = std::max(job.array.w, reader.column() + 1);
    for (const BrickBits& b : reader.bricks()) {
      job.pair.input_bits = std::max(job.pair.input_bits, b.input_bit + 2);
      job.pair.weight_bits = std::max(job.pair.weight_bits, b.weight_bit + 2);
    }
    if (reader.weight_byte() % job.Taps() == 0 && last_start != uses) {
      last_start = uses;
      ++windows;
    }
  }
  while (job.Windows() < windows && job.padding < kMaxExtent) ++job.padding;
  if (job.Windows() != windows) {
    return Fail("the stream has {} windows; no padding of pictures {} with kernel {} gives as many",
                windows, ToText(input), ToText(kernel));
  }
  job.ibuf_bytes = std::max<int64_t>(1, job.InputBytes());
  job.wbuf_bytes = job.WeightBytes();
  job.obuf_bytes = std::max<int64_t>(4, 4 * UsesPerColumn(job));
  return job;
}

}  // namespace lichen::fusion

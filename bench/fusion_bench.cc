#include <algorithm>
#include <chrono>

#include "accel/fusion/stream_run.h"
#include "accel/fusion/stream_writer.h"
#include "bench/bench.h"

namespace lichen {
namespace {

using Clock = std::chrono::steady_clock;
using fusion::WindowJob;

// What the original's documentation gives for this job, on its authors' machine.
constexpr double kOriginalCompileSeconds = 1.9;
constexpr double kOriginalRunSeconds = 3.5;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

NpyArray Noise(const fusion::Shape3& shape, uint32_t seed) {
  NpyArray array{.shape = {shape.count, shape.height, shape.width}};
  for (int64_t i = 0; i < array.Count(); ++i) {
    seed = seed * 1664525 + 1013904223;
    array.integers.push_back(seed >> 24);
  }
  return array;
}

WindowJob WithBuffers(WindowJob job) {
  job.ibuf_bytes = job.InputBytes();
  job.wbuf_bytes = job.WeightBytes();
  job.obuf_bytes = 4 * fusion::UsesPerColumn(job);
  return job;
}

struct Times {
  std::vector<double> compile;
  std::vector<double> run;
  std::vector<double> fast;
};

// One time is less than a millisecond: what else the machine does hits some and spares others. A run's figure is the least
// of so many; each run has other operands.
constexpr int kRepeats = 20;

Result<Times> Measure(const WindowJob& job, int runs, bool with_stream) {
  Times times;
  for (int run = 0; run <= runs; ++run) {
    const auto seed = static_cast<uint32_t>(run);
    LICHEN_TRY(const fusion::Operands operands,
               MakeOperands(job, Noise(job.input, seed), Noise(job.kernel, ~seed)));
    double compile_s = 1e9, run_s = 1e9, fast_s = 1e9;
    for (int i = 0; i < kRepeats; ++i) {
      const auto fast_start = Clock::now();
      const fusion::StreamRun fast = RunFast(job, operands);
      fast_s = std::min(fast_s, SecondsSince(fast_start));
      if (!with_stream) continue;
      const auto compile_start = Clock::now();
      LICHEN_TRY(const fusion::StreamText text, WriteStream(job));
      compile_s = std::min(compile_s, SecondsSince(compile_start));
      const auto run_start = Clock::now();
      LICHEN_TRY(const fusion::StreamRun by_bricks, RunStream(job, operands, text.view()));
      run_s = std::min(run_s, SecondsSince(run_start));
      if (by_bricks.sums != fast.sums || by_bricks.counts != fast.counts) {
        return Fail("the fast mode differs from the bricks; nothing is timed");
      }
    }
    if (run == 0) continue;
    times.compile.push_back(compile_s);
    times.run.push_back(run_s);
    times.fast.push_back(fast_s);
  }
  return times;
}

std::vector<double> Quotients(double numerator, const std::vector<double>& denominators) {
  std::vector<double> quotients;
  for (const double d : denominators) quotients.push_back(numerator / d);
  return quotients;
}

double Macs(const WindowJob& job) { return static_cast<double>(job.Windows() * job.Taps()); }

}  // namespace

Result<std::vector<BenchRow>> BenchFusion(int runs, const BenchProgress& progress) {
  const WindowJob small = WithBuffers({.input = {1, 28, 28}, .kernel = {1, 3, 3}});
  const WindowJob large = WithBuffers({.input = {4, 112, 112}, .kernel = {8, 3, 3}, .padding = 1});
  progress("fusion: 28x28 by 3x3");
  LICHEN_TRY(const Times s, Measure(small, runs, true));
  progress("fusion: 4x112x112 by 8x3x3");
  LICHEN_TRY(const Times l, Measure(large, runs, false));
  const std::string name = "fusion, 28x28 by 3x3, 8 bit, 16x16 units: ";
  return std::vector<BenchRow>{
      MakeBenchRow(name + "compile", "s", s.compile),
      MakeBenchRow(name + "compile, to the original's published 1.9 s", "x",
                   Quotients(kOriginalCompileSeconds, s.compile)),
      MakeBenchRow(name + "brick by brick", "s", s.run),
      MakeBenchRow(name + "brick by brick, to the original's published 3.5 s", "x",
                   Quotients(kOriginalRunSeconds, s.run)),
      MakeBenchRow(name + "fast mode", "MAC/s", Quotients(Macs(small), s.fast)),
      MakeBenchRow("fusion, 4x112x112 by 8x3x3, 8 bit: fast mode", "MAC/s",
                   Quotients(Macs(large), l.fast))};
}

}  // namespace lichen

// Compiled streams and what the machine computes of them, against convolutions in plain loops.
#include "accel/fusion/stream_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "accel/fusion/stream_writer.h"

namespace lichen::fusion {
namespace {

using testing::HasSubstr;

constexpr int kWidths[] = {2, 4, 6, 8};

NpyArray RandomArray(const Shape3& shape, std::mt19937_64& random) {
  NpyArray array{.shape = {shape.count, shape.height, shape.width}};
  for (int64_t i = 0; i < array.Count(); ++i) {
    array.integers.push_back(static_cast<int64_t>(random() % 256));
  }
  return array;
}

// The definition: products of the highest bits of pixel and weight, zeros around the picture.
std::vector<int64_t> Convolve(const WindowJob& job, const NpyArray& input, const NpyArray& kernel) {
  const auto pixel = [&](int64_t n, int64_t y, int64_t x) -> int64_t {
    if (y < 0 || x < 0 || y >= job.input.height || x >= job.input.width) return 0;
    const int64_t at = (n * job.input.height + y) * job.input.width + x;
    return input.integers[static_cast<size_t>(at)] >> (8 - job.pair.input_bits);
  };
  std::vector<int64_t> sums;
  for (int64_t n = 0; n < job.input.count; ++n) {
    for (int64_t k = 0; k < job.kernel.count; ++k) {
      for (int64_t y = 0; y <= job.input.height + 2 * job.padding - job.kernel.height; ++y) {
        for (int64_t x = 0; x <= job.input.width + 2 * job.padding - job.kernel.width; ++x) {
          int64_t sum = 0;
          for (int64_t tap = 0; tap < job.Taps(); ++tap) {
            const int64_t weight = kernel.integers[static_cast<size_t>(k * job.Taps() + tap)];
            sum += pixel(n, y - job.padding + tap / job.kernel.width,
                         x - job.padding + tap % job.kernel.width) *
                   (weight >> (8 - job.pair.weight_bits));
          }
          sums.push_back(sum);
        }
      }
    }
  }
  return sums;
}

// Buffers as large as the job needs.
WindowJob WithBuffers(WindowJob job) {
  job.ibuf_bytes = job.InputBytes();
  job.wbuf_bytes = job.WeightBytes();
  job.obuf_bytes = 4 * UsesPerColumn(job);
  return job;
}

struct Computed {
  NpyArray output;
  Counts counts;
};

// By the bricks; the fast way must give the same.
Computed Compute(const WindowJob& job, const NpyArray& input, const NpyArray& kernel) {
  const auto text = WriteStream(job);
  EXPECT_TRUE(text) << text.error().message;
  const auto operands = MakeOperands(job, input, kernel);
  EXPECT_TRUE(operands) << operands.error().message;
  const auto run = RunStream(job, *operands, text->view());
  EXPECT_TRUE(run) << run.error().message;
  if (!run) return {};
  const StreamRun fast = RunFast(job, *operands);
  EXPECT_EQ(fast.sums, run->sums);
  EXPECT_EQ(fast.counts, run->counts);
  EXPECT_EQ(run->counts, Count(job));
  return {MakeOutput(job, run->sums), run->counts};
}

WindowJob RandomJob(std::mt19937_64& random, OperandPair pair) {
  const auto between = [&](int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random() % static_cast<uint64_t>(most - least + 1));
  };
  while (true) {
    WindowJob job;
    job.input = {between(1, 3), between(1, 12), between(1, 12)};
    job.kernel = {between(1, 3), between(1, 6), between(1, 6)};
    job.padding = between(0, 3);
    job.array = {between(1, 9), between(1, 7)};
    job.pair = pair;
    job = WithBuffers(job);
    if (job.Windows() > 0) return job;
  }
}

TEST(FusionRun, FixedStreamsConvolveForEveryPair) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE(fmt::format("seed {}", seed));
  std::mt19937_64 random(seed);
  int spanning = 0;
  for (const int input_bits : kWidths) {
    for (const int weight_bits : kWidths) {
      for (int round = 0; round < 12; ++round) {
        const auto prepared = Prepare(RandomJob(random, {input_bits, weight_bits}));
        ASSERT_TRUE(prepared) << prepared.error().message;
        const WindowJob& job = prepared->job;
        SCOPED_TRACE(fmt::format("{} by {}, padding {}, array {}x{}, {} and {} bits",
                                 ToText(job.input), ToText(job.kernel), job.padding, job.array.h,
                                 job.array.w, input_bits, weight_bits));
        const NpyArray input = RandomArray(job.input, random);
        const NpyArray kernel = RandomArray(job.kernel, random);
        const Computed computed = Compute(job, input, kernel);
        EXPECT_EQ(computed.output.integers, Convolve(job, input, kernel));
        EXPECT_THAT(computed.output.shape,
                    testing::ElementsAre(job.input.count, job.kernel.count, job.OutputHeight(),
                                         job.OutputWidth()));
        spanning += job.ColumnsPerWindow() > 1;
      }
    }
  }
  EXPECT_GT(spanning, 20) << "windows over several columns are what goes wrong";
}

TEST(FusionRun, CompatLeavesPartialSumsApart) {
  std::mt19937_64 random(3);
  WindowJob job{.mode = Mode::kCompat,
                .input = {1, 8, 8},
                .kernel = {2, 3, 4},
                .array = {5, 3},
                .pair = {8, 6}};
  const auto prepared = Prepare(WithBuffers(job));
  ASSERT_TRUE(prepared);
  EXPECT_THAT(prepared->warnings, testing::ElementsAre(HasSubstr("3 partial sums")));
  const NpyArray input = RandomArray(job.input, random);
  const NpyArray kernel = RandomArray(job.kernel, random);
  const Computed computed = Compute(prepared->job, input, kernel);
  ASSERT_THAT(computed.output.shape, testing::ElementsAre(1, 2, 6, 5, 3));
  const std::vector<int64_t> right = Convolve(job, input, kernel);
  for (size_t i = 0; i < right.size(); ++i) {
    // Five products, five, and two.
    const int64_t* parts = &computed.output.integers[3 * i];
    EXPECT_EQ(parts[0] + parts[1] + parts[2], right[i]);
    const int64_t k = static_cast<int64_t>(i) / 30, y = static_cast<int64_t>(i) % 30 / 5,
                  x = static_cast<int64_t>(i) % 5;
    int64_t last = 0;
    for (const int64_t tap : {10, 11}) {
      const int64_t at = (y + tap / 4) * 8 + x + tap % 4;
      last += input.integers[static_cast<size_t>(at)] *
              (kernel.integers[static_cast<size_t>(k * 12 + tap)] >> 2);
    }
    EXPECT_EQ(parts[2], last);
  }
}

TEST(FusionRun, InfersTheJobOfAStream) {
  std::mt19937_64 random(5);
  for (int round = 0; round < 60; ++round) {
    const WindowJob job = RandomJob(random, {kWidths[random() % 4], kWidths[random() % 4]});
    const auto text = WriteStream(job);
    ASSERT_TRUE(text);
    const auto inferred = InferJob(text->view(), job.input, job.kernel);
    ASSERT_TRUE(inferred) << inferred.error().message;
    EXPECT_EQ(inferred->pair, job.pair);
    EXPECT_EQ(inferred->padding, job.padding);
    EXPECT_EQ(inferred->ColumnsPerWindow(), job.ColumnsPerWindow());
    EXPECT_EQ(WriteStream(*inferred)->view(), text->view());
  }
}

TEST(FusionRun, OtherShapesThanTheStreamsAreAnError) {
  const WindowJob job =
      WithBuffers({.input = {1, 5, 5}, .kernel = {1, 2, 2}, .array = {4, 4}, .pair = {6, 6}});
  const auto text = WriteStream(job);
  ASSERT_TRUE(text);
  const auto inferred = InferJob(text->view(), {1, 6, 7}, {1, 2, 2});
  ASSERT_FALSE(inferred);
  EXPECT_THAT(inferred.error().message, HasSubstr("the stream has 16 windows"));
  // Cut off at a line's end: what is there is legal, and too little.
  const Operands operands{std::vector<uint8_t>(25), std::vector<uint8_t>(4)};
  const std::string_view half = text->view().substr(0, text->view().find("#cycle3"));
  const auto run = RunStream(job, operands, half);
  ASSERT_FALSE(run);
  EXPECT_THAT(run.error().message, HasSubstr("2 cycles"));
}

}  // namespace
}  // namespace lichen::fusion

#include "accel/fusion/window_job.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "accel/fusion/stream_writer.h"

namespace lichen::fusion {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The example of the original's README.
WindowJob Example(Mode mode = Mode::kFixed) {
  return {.mode = mode,
          .input = {1, 5, 5},
          .kernel = {1, 2, 2},
          .array = {4, 4},
          .ibuf_bytes = 256,
          .wbuf_bytes = 128,
          .obuf_bytes = 16384,
          .pair = {6, 6}};
}

std::string ErrorOf(const WindowJob& job) {
  const auto prepared = Prepare(job);
  return prepared ? "accepted" : prepared.error().message;
}

TEST(FusionJob, ReadsShapes) {
  EXPECT_EQ(*ParseShape3("2x6x7"), (Shape3{2, 6, 7}));
  EXPECT_EQ(*ParseShape3("6x7"), (Shape3{1, 6, 7}));
  EXPECT_EQ(*ParseArray("7x5"), (Size2{7, 5}));
  for (const char* text :
       {"", "5", "x5x5", "5x", "1x2x3x4", "1X2", "1x2 ", "1x99999999999999999999"}) {
    EXPECT_FALSE(ParseShape3(text)) << text;
  }
  EXPECT_FALSE(ParseArray("4"));
  EXPECT_FALSE(ParseArray("4x4x4"));
}

TEST(FusionJob, RefusesWhatItCannotBuildInAnyMode) {
  const struct {
    std::function<void(WindowJob&)> change;
    const char* message;
  } cases[] = {
      {[](WindowJob& j) {
         j.pair = {6, 5};
       },
       "operands of 6 and 5 bits: widths are 2, 4, 6 and 8"},
      {[](WindowJob& j) {
         j.pair = {0, 8};
       },
       "operands of 0 and 8 bits"},
      {[](WindowJob& j) {
         j.pair = {16, 8};
       },
       "operands of 16 and 8 bits"},
      {[](WindowJob& j) { j.input.count = 0; }, "number of pictures is 0"},
      {[](WindowJob& j) { j.input.height = -1; }, "picture's height is -1"},
      {[](WindowJob& j) { j.input.width = 0; }, "picture's width is 0"},
      {[](WindowJob& j) { j.kernel.count = 0; }, "number of filters is 0"},
      {[](WindowJob& j) { j.kernel.height = 0; }, "kernel's height is 0"},
      {[](WindowJob& j) { j.kernel.width = -3; }, "kernel's width is -3"},
      {[](WindowJob& j) { j.padding = -1; }, "padding is -1"},
      {[](WindowJob& j) { j.array.h = 0; }, "array's rows is 0"},
      {[](WindowJob& j) { j.array.w = 1025; }, "array's columns is 1025"},
      {[](WindowJob& j) { j.ibuf_bytes = 0; }, "input buffer's bytes is 0"},
      {[](WindowJob& j) { j.wbuf_bytes = -8; }, "weight buffer's bytes is -8"},
      {[](WindowJob& j) { j.obuf_bytes = 0; }, "output buffer's bytes is 0"},
      {[](WindowJob& j) {
         j.input = {65536, 65536, 65536};
       },
       "more than"},
      {[](WindowJob& j) {
         j.kernel = {65536, 256, 256};
       },
       "too large"},
      {[](WindowJob& j) {
         j.kernel = {1, 65536, 65536};
       },
       "too large"},
  };
  for (const Mode mode : {Mode::kCompat, Mode::kFixed}) {
    for (const auto& c : cases) {
      WindowJob job = Example(mode);
      c.change(job);
      EXPECT_THAT(ErrorOf(job), HasSubstr(c.message)) << Name(mode);
    }
    EXPECT_EQ(ErrorOf(Example(mode)), "accepted");
  }
}

TEST(FusionJob, FixedRefusesWhatTheOriginalGetsWrong) {
  WindowJob job = Example();
  job.kernel = {1, 6, 2};
  EXPECT_THAT(ErrorOf(job), HasSubstr("the kernel 1x6x2 is larger than the picture 1x5x5"));
  job.padding = 1;
  EXPECT_EQ(ErrorOf(job), "accepted");
  job = Example();
  job.ibuf_bytes = 24;
  EXPECT_THAT(ErrorOf(job), HasSubstr("24 bytes of the 25 needed; give --ibuf 25"));
  job.padding = 2;
  EXPECT_THAT(ErrorOf(job), HasSubstr("give --ibuf 81"));
  job = Example();
  job.wbuf_bytes = 3;
  EXPECT_THAT(ErrorOf(job), HasSubstr("give --wbuf 4"));
  job = Example();
  job.obuf_bytes = 15;
  EXPECT_THAT(ErrorOf(job), HasSubstr("give --obuf 16"));
}

TEST(FusionJob, CompatWarnsOfEveryFault) {
  const auto warnings = [](std::function<void(WindowJob&)> change) {
    WindowJob job = Example(Mode::kCompat);
    change(job);
    const auto prepared = Prepare(job);
    EXPECT_TRUE(prepared);
    return prepared->warnings;
  };
  EXPECT_THAT(warnings([](WindowJob&) {}), IsEmpty());
  EXPECT_THAT(warnings([](WindowJob& j) { j.padding = 1; }), IsEmpty());
  EXPECT_THAT(warnings([](WindowJob& j) { j.padding = 2; }),
              ElementsAre(HasSubstr("padding 2 counts as 0")));
  EXPECT_THAT(warnings([](WindowJob& j) {
                j.kernel = {1, 2, 6};
              }),
              ElementsAre(HasSubstr("one empty cycle")));
  EXPECT_THAT(warnings([](WindowJob& j) {
                j.pair = {2, 4};
              }),
              ElementsAre(HasSubstr("works as (4,2) does")));
  EXPECT_THAT(warnings([](WindowJob& j) {
                j.array = {3, 4};
              }),
              ElementsAre(HasSubstr("the 2 partial sums")));
  EXPECT_THAT(warnings([](WindowJob& j) {
                j.kernel = {1, 5, 4};
                j.array = {16, 16};
              }),
              ElementsAre(HasSubstr("a filter has 20 bytes")));
  EXPECT_THAT(warnings([](WindowJob& j) { j.ibuf_bytes = 24; }),
              ElementsAre(HasSubstr("exceed the input buffer's 24")));
  EXPECT_THAT(warnings([](WindowJob& j) { j.wbuf_bytes = 3; }),
              ElementsAre(HasSubstr("exceed the weight buffer's 3")));
  EXPECT_THAT(warnings([](WindowJob& j) { j.obuf_bytes = 12; }),
              ElementsAre(HasSubstr("16 bytes of a column's output buffer of 12")));
}

TEST(FusionJob, AnEmptyStreamIsOneEmptyCycle) {
  WindowJob job = Example(Mode::kCompat);
  job.kernel = {1, 6, 6};
  const auto prepared = Prepare(job);
  ASSERT_TRUE(prepared);
  EXPECT_EQ(Count(prepared->job), (Counts{1, 0, 256, 0, 16, 0}));
  const auto text = WriteStream(prepared->job);
  ASSERT_TRUE(text);
  EXPECT_EQ(text->view(), "#cycle1\n");
}

TEST(FusionJob, RefusesStreamsTooLongToHold) {
  WindowJob job = Example();
  job.input = {512, 1024, 1024};
  job.kernel = {512, 3, 3};
  job.ibuf_bytes = int64_t{1} << 30;
  job.wbuf_bytes = job.WeightBytes();
  job.obuf_bytes = int64_t{1} << 31;
  const auto text = WriteStream(job);
  ASSERT_FALSE(text);
  EXPECT_THAT(text.error().message, HasSubstr("would exceed 1073741824 bytes"));
}

// (2,4) has no stream of the original: (4,2) with the operands changed over.
TEST(FusionJob, PairTwoFourMirrorsFourTwo) {
  WindowJob job = Example();
  const auto text = [&](OperandPair pair) {
    job.pair = pair;
    const auto stream = WriteStream(job);
    EXPECT_TRUE(stream);
    return std::string(stream->view());
  };
  EXPECT_THAT(text({2, 4}), testing::StartsWith("#cycle1\n"
                                                "staddr OBUF_x_0 0x0\n"
                                                "FU_0_0:shconfig 0 0 0 0\n"
                                                "FU_0_0:BB_0_1:mul2 0x1-0 0x1-0\n"
                                                "FU_0_0:BB_0_3:mul2 0x0-0 0x0-0\n"
                                                "FU_0_0:BB_1_1:mul2 0x1-0 0x1-2\n"
                                                "FU_0_0:BB_1_3:mul2 0x0-0 0x0-2\n"
                                                "FU_0_0:BB_2_1:mul2 0x6-0 0x3-0\n"
                                                "FU_0_0:BB_2_3:mul2 0x5-0 0x2-0\n"
                                                "FU_0_0:BB_3_1:mul2 0x6-0 0x3-2\n"
                                                "FU_0_0:BB_3_3:mul2 0x5-0 0x2-2\n"
                                                "staddr OBUF_x_1 0x0\n"));
}

}  // namespace
}  // namespace lichen::fusion

#include "accel/fusion/stream_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "accel/fusion/stream_run.h"
#include "accel/fusion/stream_writer.h"

namespace lichen::fusion {
namespace {

using testing::HasSubstr;

const StreamLimits kLimits{
    .array = {4, 4}, .input_bytes = 25, .weight_bytes = 4, .obuf_bytes = 8, .pair = {6, 6}};

// The message for a text that must not be accepted.
std::string ErrorOf(std::string_view text) {
  StreamReader reader(text, kLimits);
  StreamReader::Line line;
  while ((line = reader.Next()) != StreamReader::Line::kError) {
    if (line == StreamReader::Line::kEnd) return "accepted";
  }
  EXPECT_EQ(reader.Next(), StreamReader::Line::kError);
  return reader.error().message;
}

constexpr std::string_view kStart = "#cycle1\nstaddr OBUF_x_1 0x0\nFU_2_1:shconfig 4 0 4 4\n";

std::string After(std::string_view lines) { return std::string(kStart) + std::string(lines); }

TEST(FusionStreamReader, NamesTheLineOfWhatIsWrong) {
  const struct {
    std::string text;
    const char* message;
  } cases[] = {
      {"", "line 1: the stream is empty"},
      {"#cycle2\n", "line 1: cycle 2 follows cycle 0"},
      {"#cycle01\n", "line 1: '#cycle01': expected a number at character 9"},
      {"#cycle99999999999999999999\n", "expected a number"},
      {"#cycle1", "expected the line's end"},
      {"#cycle1\n\n", "line 2: '': expected #cycle at character 1"},
      {"#cycle1\nloop 4\n", "line 2: 'loop 4': expected #cycle"},
      {"#cycle1\r\n", "'#cycle1?': expected the line's end at character 8"},
      {"staddr OBUF_x_0 0x0\n", "line 1: an instruction before #cycle1"},
      {"#cycle1\nstaddr OBUF_x_4 0x0\n", "line 2: column 4: the array has 4"},
      {"#cycle1\nstaddr OBUF_x_0 0x4\n", "address 0x4: column 0 stores at 0x0 now"},
      {"#cycle1\nstaddr OBUF_x_0 0xffffffff\n", "line 2: address 0xffffffff"},
      {"#cycle1\nstaddr OBUF_x_0 0x100000000\n", "expected the line's end"},
      {After("staddr OBUF_x_1 0x4\n"), "line 4: column 1 follows column 1"},
      {After("FU_2_2:shconfig 4 0 4 4\n"), "line 4: unit 2, 2: no staddr of column 2"},
      {After("FU_2_1:shconfig 4 0 4 4\n"), "line 4: row 2 follows row 2"},
      {After("FU_4_1:shconfig 4 0 4 4\n"), "line 4: unit 4, 1: the array has 4x4"},
      {After("FU_3_1:shconfig 4 0 4 5\n"), "expected 0, 4 or 8 at character 23"},
      {After("FU_3_1:BB_0_0:mul2 0x0-0 0x0-0\n"), "line 4: unit 3, 1 has no shconfig"},
      {After("FU_2_1:BB_0_4:mul2 0x0-0 0x0-0\n"), "expected 0 to 3 at character 13"},
      {After("FU_2_1:BB_0_0:mul2 0x19-0 0x0-0\n"), "input byte 0x19: the padded pictures have 25"},
      {After("FU_2_1:BB_0_0:mul2 0x0-0 0x4-0\n"), "weight byte 0x4: the kernel has 4 bytes"},
      {After("FU_2_1:BB_0_0:mul2 0x0-6 0x0-0\n"), "expected an even bit within the operand"},
      {After("FU_2_1:BB_0_0:mul2 0x0-0 0x0-1\n"), "expected an even bit within the operand"},
      {After("FU_2_1:BB_0_0:mul2 0x-0 0x0-0\n"), "expected a hexadecimal number at character 22"},
      {After("FU_2_1:BB_0_0:mul2 0x0-0 0x0-0"), "expected the line's end"},
  };
  for (const auto& c : cases) EXPECT_THAT(ErrorOf(c.text), HasSubstr(c.message)) << c.text;
  EXPECT_THAT(ErrorOf("#cycle1\nstaddr OBUF_x_0 0x0\n#cycle2\nstaddr OBUF_x_0 0x4\n"
                      "#cycle3\nstaddr OBUF_x_0 0x8\n"),
              HasSubstr("line 6: address 0x8 is beyond the output buffer's 8 bytes"));
  EXPECT_THAT(ErrorOf("#cycle1\n" + std::string(100, 'z') + "\n"), HasSubstr("zzz...': expected"));
}

// Lines that only look like repeats of the one before, with enough behind them to be read as such.
TEST(FusionStreamReader, ChecksRepeatsOfALineLikeOthers) {
  const std::string first = "FU_2_1:BB_0_1:mul2 0x5-2 0x1-0\n";
  std::string behind;
  for (int brick = 8; brick < 16; ++brick) {
    behind += fmt::format("FU_2_1:BB_{}_{}:mul2 0x7-2 0x1-0\n", brick / 4, brick % 4);
  }
  EXPECT_EQ(ErrorOf(After(first + behind)), "accepted");
  const auto error = [&](std::string_view line) {
    return ErrorOf(After(first + std::string(line) + "\n" + behind));
  };
  EXPECT_EQ(error("FU_2_1:BB_0_2:mul2 0x5-0 0x1-4"), "accepted");
  EXPECT_THAT(error("FU_2_1:BB_0_1:mul2 0x5-2 0x1-0"), HasSubstr("line 5: brick 0, 1 follows"));
  EXPECT_THAT(error("FU_2_1:BB_0_0:mul2 0x5-2 0x1-0"), HasSubstr("line 5: brick 0, 0 follows"));
  EXPECT_THAT(error("FU_2_1:BB_1_4:mul2 0x5-2 0x1-0"), HasSubstr("line 5: "));
  EXPECT_THAT(error("FU_2_1:BB_/_1:mul2 0x5-2 0x1-0"), HasSubstr("line 5: "));
  EXPECT_THAT(error("FU_2_1:BB_1_1:mul2 0x5-6 0x1-0"), HasSubstr("line 5: "));
  EXPECT_THAT(error("FU_2_1:BB_1_1:mul2 0x5-2 0x1-6"), HasSubstr("line 5: "));
  EXPECT_THAT(error("FU_2_1:BB_1_1:mul2 0x5-3 0x1-0"), HasSubstr("line 5: "));
  EXPECT_THAT(error("FU_3_1:BB_1_1:mul2 0x5-2 0x1-0"), HasSubstr("line 5: "));
  EXPECT_THAT(error("FU_2_1:BB_1_1:mul3 0x5-2 0x1-0"), HasSubstr("line 5: "));
}

TEST(FusionStreamReader, ChecksEveryByteOfARepeat) {
  const std::string first = "FU_2_1:BB_0_1:mul2 0x5-2 0x1-0\n";
  const std::string repeat = "FU_2_1:BB_0_2:mul2 0x5-2 0x1-0\n";
  const std::string behind = "FU_2_1:BB_0_3:mul2 0x5-2 0x1-0\n#cycle2\n#cycle3\n#cycle4\n";
  EXPECT_EQ(ErrorOf(After(first + repeat + behind)), "accepted");
  for (size_t at = 0; at < repeat.size(); ++at) {
    std::string changed = repeat;
    changed[at] = 'z';
    EXPECT_THAT(ErrorOf(After(first + changed + behind)), HasSubstr("line 5: ")) << changed;
  }
}

// One changed byte, or the end too early: most are errors, and all of them name the line.
TEST(FusionStreamReader, TakesAnyChangedByte) {
  const WindowJob job{
      .input = {1, 5, 5}, .kernel = {1, 2, 2}, .array = {4, 4}, .obuf_bytes = 16, .pair = {6, 6}};
  const auto text = WriteStream(job);
  ASSERT_TRUE(text);
  const std::string good(text->view());
  const Operands operands{std::vector<uint8_t>(25, 63), std::vector<uint8_t>(4, 63)};
  std::mt19937_64 random(7);
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string bad = good;
    const size_t at = random() % bad.size();
    bad[at] = static_cast<char>(random() % 2 ? "0123456789abcdefx-_:\n"[random() % 21] : random());
    if (bad == good) continue;
    const auto run = RunStream(job, operands, bad);
    if (run) continue;
    ++refused;
    EXPECT_THAT(run.error().message, testing::StartsWith("line "));
  }
  EXPECT_GT(refused, 2000);
  for (size_t size = 0; size < good.size(); size += 11) {
    EXPECT_FALSE(RunStream(job, operands, good.substr(0, size)));
  }
}

}  // namespace
}  // namespace lichen::fusion

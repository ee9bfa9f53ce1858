#include "accel/tile/estimate.h"

#include <gtest/gtest.h>

namespace lichen::tile {
namespace {

// Words, bits, BRAM18 as Yosys 0.23 maps ram_sdp (synth_xilinx -family xcup).
TEST(Bram18, EqualsYosys) {
  constexpr struct {
    int64_t words;
    int64_t width_bits;
    int64_t bram18;
  } kMapped[] = {{16, 9, 1},      {65536, 16, 64}, {6144, 64, 24},   {64, 72, 2},
                 {2560, 72, 10},  {2048, 128, 15}, {2560, 128, 19},  {3584, 128, 30},
                 {1536, 256, 22}, {3584, 256, 51}, {3584, 512, 100}, {10240, 512, 286},
                 {128, 70, 2},    {208, 80, 3},    {10240, 24, 15},  {6656, 128, 49},
                 {2064, 36, 5},   {259, 256, 8},   {1344, 96, 9},    {3664, 288, 64},
                 {3728, 80, 18},  {4179, 64, 18},  {512, 8, 1},      {12800, 48, 39}};
  for (const auto& ram : kMapped) {
    EXPECT_EQ(Bram18(ram.words, ram.width_bits), ram.bram18) << ram.words << "x" << ram.width_bits;
  }
}

TEST(EstimateResources, IsTheSumOfItsBlocks) {
  Design d;
  CellCounts sum;
  for (const CellCounts& block : EstimateBlocks(d)) sum += block;
  const Resources r = EstimateResources(d);
  EXPECT_EQ(r.dsp, sum.dsp);
  EXPECT_EQ(r.bram36, (sum.bram18 + 1) / 2);
  EXPECT_EQ(r.lut, sum.lut);
  EXPECT_EQ(r.ff, sum.ff);
  // Two products of 8 bits share a DSP.
  d.operand_bits = 8;
  EXPECT_EQ(r.dsp - EstimateResources(d).dsp, d.MacsPerCycle() / 2);
}

}  // namespace
}  // namespace lichen::tile

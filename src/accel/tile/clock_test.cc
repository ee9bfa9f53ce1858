// The short cuts of the cycle count against every single word. The RTL itself: rtl/tb/engine_test.cc.
#include "accel/tile/clock.h"

#include <gtest/gtest.h>

#include <random>

namespace lichen::tile {
namespace {

class Maker {
 public:
  Maker(const Design& design, uint64_t seed) : d_(design), random_(seed) {}

  // Long and short rows at any address, without tokens.
  std::vector<Instruction> Program() {
    std::vector<Instruction> program;
    for (int i = 0; i < 24; ++i) {
      switch (Between(0, 2)) {
        case 0:
          program.push_back(RandomLoad());
          break;
        case 1:
          program.push_back(Weight{.sync = {},
                                   .address_bytes = 16 * uint64_t{Between(0, 1000)},
                                   .words = Between(1, 60)});
          break;
        default:
          program.push_back(RandomStore());
      }
    }
    program.push_back(End{});
    return program;
  }

  uint32_t Between(uint32_t low, uint32_t high) {
    return low + static_cast<uint32_t>(random_() % (high - low + 1));
  }

 private:
  uint32_t Length() { return Between(0, 1) == 0 ? Between(1, 90) : Between(1000, 9000); }

  Load RandomLoad() {
    const auto bytes = static_cast<uint32_t>(d_.ElementBytes());
    const auto pif = static_cast<uint32_t>(d_.pif);
    Load i;
    i.address_bytes = bytes * uint64_t{Between(0, 5000)};
    i.valid_elements = Length();
    i.row_stride_bytes = bytes * (i.valid_elements + Between(0, 99));
    i.top_rows = Between(0, 2);
    i.valid_rows = Between(0, 5);
    i.rows = i.top_rows + i.valid_rows + Between(1, 2);
    i.left_words = Between(0, 50);
    i.row_words = i.left_words + (i.valid_elements + pif - 1) / pif + Between(0, 99);
    return i;
  }

  Store RandomStore() {
    const auto lanes = static_cast<uint32_t>(d_.epilogue_lanes);
    const bool is_whole = Between(0, 2) != 0;
    Store i;
    i.element_bytes = d_.operand_bits == 8 ? Between(1, 2) : 2;
    i.address_bytes = i.element_bytes * uint64_t{Between(0, 5000)};
    i.valid_elements = Length();
    i.row_stride_bytes = i.element_bytes * (i.valid_elements + Between(0, 99));
    i.rows = Between(1, 5);
    i.run = is_whole ? lanes * Between(1, 9) : Between(1, 40);
    i.first = is_whole ? lanes * Between(0, 2) : Between(0, 20);
    return i;
  }

  const Design d_;
  std::mt19937_64 random_;
};

TEST(Clock, SkipsWhatIsEven) {
  int64_t cycles = 0;
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Maker choose({}, seed);
    Design d;
    d.operand_bits = choose.Between(0, 1) == 0 ? 8 : 16;
    d.pif = int64_t{1} << choose.Between(0, 5);
    d.epilogue_lanes = int64_t{2} << choose.Between(0, 4);
    d.pof = std::max<int64_t>(d.epilogue_lanes, 16);
    d.dma_ports = int64_t{1} << choose.Between(0, 2);
    MemoryTiming memory{.latency_cycles = choose.Between(0, 50), .outstanding_bursts = 8};
    // Faster than the ports, and slower.
    if (seed % 4 == 2) memory.bytes_per_cycle = 64;
    if (seed % 4 == 3) memory.bytes_per_cycle = 20;
    const std::vector<Instruction> program = Maker(d, seed).Program();
    const auto quick = RunClock(d, program, memory);
    const auto exact = RunClock(d, program, memory, {.is_stepwise = true});
    ASSERT_TRUE(quick) << quick.error().message;
    ASSERT_TRUE(exact) << exact.error().message;
    ASSERT_EQ(quick->cycles, exact->cycles);
    ASSERT_EQ(quick->last_writes, exact->last_writes);
    cycles += exact->cycles;
  }
  EXPECT_GT(cycles, 1'000'000);
}

TEST(Clock, NamesADeadlock) {
  const std::vector<Instruction> program = {Store{.sync = {.wait = Bit(Token::kComputeToStore)},
                                                  .rows = 1,
                                                  .run = 1,
                                                  .valid_elements = 1,
                                                  .element_bytes = 2},
                                            End{}};
  const auto timeline = RunClock({}, program, {.latency_cycles = 4});
  ASSERT_FALSE(timeline);
  EXPECT_EQ(timeline.error().message, "the units wait for each other at instruction 1 of 2");
}

}  // namespace
}  // namespace lichen::tile

// What the tile engine's instructions compute: memory and buffers, without time.
//
// Contract: the meaning of docs/tile.md, one instruction at a time in the order given; simulator and
// RTL must leave the same bytes. Checks every address: a program that reads or writes outside of
// memory or buffers is an error that names what.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "accel/tile/design.h"
#include "accel/tile/instruction.h"
#include "base/result.h"

namespace lichen::tile {

class Machine {
 public:
  // Keeps the memory, whose bytes instructions read and write; the design must pass CheckDesign().
  Machine(const Design& design, std::span<uint8_t> memory);

  Result<void> Execute(const Instruction& instruction);

 private:
  Result<void> Run(const Load& i);
  Result<void> Run(const Weight& i);
  Result<void> Run(const Compute& i);
  Result<void> Run(const Store& i);
  Result<void> Run(const End&) { return {}; }

  int16_t Element(uint64_t address, bool is_unsigned = false) const;
  Result<void> Accumulate(const Compute& i, int64_t row_group, int64_t column_group,
                          int64_t lane_group);
  Result<void> Finish(const Compute& i, int64_t row_group, int64_t column_group,
                      int64_t lane_group);

  const Design design_;
  std::span<uint8_t> memory_;
  // int16 also holds the elements of 8-bit designs.
  std::vector<int16_t> input_;    // [bank][word][pif]
  std::vector<int16_t> weights_;  // [word][pif][pof]: lanes last, unlike in memory
  std::vector<uint8_t> parameters_;
  std::vector<int16_t> middle_;  // [bank][word][epilogue lane]
  std::vector<int16_t> output_;  // [word][epilogue lane]
  std::vector<int64_t> sums_;    // [pixel lane][lane]
};

}  // namespace lichen::tile

// The fusion machine without time: executes instructions on its buffers and on memory.
//
// Contract: docs/fusion.md. Every product is formed from bricks (kBricks) or at once (kProducts), with
// the same result. Execute() checks every address that an instruction names.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "accel/fusion/constants.h"
#include "accel/fusion/design.h"
#include "accel/fusion/instruction.h"
#include "base/result.h"

namespace lichen::fusion {

enum class Arithmetic { kBricks, kProducts };

// The sum of a unit's products: of 32 bits of x and of w (docs/fusion.md, "A fusion unit").
int32_t UnitSum(uint32_t x, uint32_t w, const Step& step, Arithmetic arithmetic);

class Machine {
 public:
  // `memory` must outlive the machine.
  Machine(const Design& design, std::span<uint8_t> memory, Arithmetic arithmetic);

  Result<void> Execute(const Instruction& instruction, uint64_t i0, uint64_t i1);

 private:
  Result<std::span<uint8_t>> MemoryAt(uint64_t address, int64_t bytes);
  Result<void> Run(const Load& load, uint64_t i0, uint64_t i1);
  Result<void> Run(const Weight& weight, uint64_t i0, uint64_t i1);
  Result<void> Run(const Compute& compute, uint64_t i1);
  Result<void> Run(const Store& store, uint64_t i0, uint64_t i1);
  // The sums of a set, [group * columns + lane], added up over its steps.
  void SumSet(const Compute& compute, int64_t block, int64_t y, int64_t first_column, int64_t px);
  Result<void> WriteResults(const Compute& compute, int64_t word_base, int64_t block, int64_t oy,
                            int64_t og, bool is_first, bool is_last);

  // A buffer of two pages, and which of them either side uses.
  template <class T>
  struct Paged {
    std::vector<T> page[2];
    int writer = 0;
    int reader = 0;
    std::vector<T>& written() { return page[writer]; }
    std::vector<T>& read() { return page[reader]; }
  };

  const Design d_;
  std::span<uint8_t> memory_;
  Arithmetic arithmetic_;
  Paged<uint8_t> input_;     // bytes; all copies hold the same
  Paged<uint32_t> weights_;  // [word][row][column]
  Paged<Step> steps_;
  Paged<uint8_t> parameters_;  // records
  Paged<uint8_t> output_;      // [word][column]
  std::vector<int32_t> sums_;  // [group][column]
  std::vector<int64_t> best_;  // of the pool
};

}  // namespace lichen::fusion

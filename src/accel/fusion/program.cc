#include <array>

#include "accel/fusion/plan.h"

namespace lichen::fusion {
namespace {

constexpr int64_t kMaxExecuted = int64_t{1} << 24;

}  // namespace

Result<void> ForEachExecuted(
    const std::vector<Instruction>& program,
    const std::function<Result<void>(size_t index, uint64_t i0, uint64_t i1)>& visit) {
  struct Running {
    bool is_open = false;
    size_t first = 0;
    uint64_t count = 0;
    uint64_t at = 0;
  };
  std::array<Running, 2> loops;
  int64_t executed = 0;
  for (size_t pc = 0; pc < program.size();) {
    const Instruction& instruction = program[pc];
    if (++executed > kMaxExecuted) {
      return Fail("instruction {}: more than {} instructions are executed", pc, kMaxExecuted);
    }
    if (std::holds_alternative<End>(instruction)) {
      if (loops[0].is_open || loops[1].is_open)
        return Fail("instruction {}: END within a loop", pc);
      return {};
    }
    if (const auto* loop = std::get_if<Loop>(&instruction)) {
      Running& running = loops[loop->level & 1];
      if (running.is_open || (loop->level == 0 && loops[1].is_open) || loop->count == 0) {
        return Fail(
            "instruction {}: loop {} of {} iterations begins within itself, within loop 1, "
            "or is empty",
            pc, loop->level, loop->count);
      }
      running = {true, ++pc, loop->count, 0};
      continue;
    }
    if (const auto* next = std::get_if<Next>(&instruction)) {
      Running& running = loops[next->level & 1];
      if (!running.is_open || (next->level == 0 && loops[1].is_open)) {
        return Fail("instruction {}: NEXT of loop {}, which is not the innermost", pc, next->level);
      }
      const bool goes_on = ++running.at < running.count;
      pc = goes_on ? running.first : pc + 1;
      if (!goes_on) running = {};
      continue;
    }
    LICHEN_TRY_VOID(
        InPlace(fmt::format("instruction {}", pc), visit(pc, loops[0].at, loops[1].at)));
    ++pc;
  }
  return Fail("the program has no END");
}

}  // namespace lichen::fusion

// Places in a buffer for tiles or weights that come one after the other, and the tokens between
// those who fill a place and those who have done with it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "accel/tile/instruction.h"
#include "base/check.h"

namespace lichen::tile {

// Uses take turns at the bottom and the top of the buffer where two fit, so that one can be filled
// while the other is read.
class Turns {
 public:
  explicit Turns(int64_t depth) : depth_(depth) {}

  struct Spot {
    int64_t base = 0;
    int64_t after = -1;  // the last use whose words it overwrites, or none
  };

  Spot Next(int64_t words) const {
    Spot spot;
    if (uses_.empty()) return spot;
    const Use& last = uses_.back();
    if (last.begin == 0 && depth_ - words >= last.end) spot.base = depth_ - words;
    for (auto n = static_cast<int64_t>(uses_.size()) - 1; n >= 0 && spot.after < 0; --n) {
      const Use& use = uses_[static_cast<size_t>(n)];
      if (use.begin < spot.base + words && spot.base < use.end) spot.after = n;
    }
    return spot;
  }

  void Take(const Spot& spot, int64_t words) { uses_.push_back({spot.base, spot.base + words}); }

 private:
  struct Use {
    int64_t begin;
    int64_t end;
  };
  int64_t depth_;
  std::vector<Use> uses_;
};

// Tokens of one kind, from those who end a use to those who begin one. A use's end gives a token
// only if a later use waits for it; ends come in order, so one token stands for all before it.
class Ends {
 public:
  Ends(Token token, std::vector<Instruction>& program) : token_(token), program_(program) {}

  // The instruction that ends the next use.
  void Add(size_t instruction) { ends_.push_back(instruction); }
  bool Has(int64_t use) const { return use < static_cast<int64_t>(ends_.size()); }

  // The bits with which an instruction waits for the end of `use` (-1: none) and all before it.
  uint32_t WaitFor(int64_t use) {
    if (use <= waited_) return 0;
    LICHEN_CHECK(Has(use));
    waited_ = use;
    Instruction& end = program_[ends_[static_cast<size_t>(use)]];
    std::visit([&](auto& i) { i.sync.signal |= Bit(token_); }, end);
    return Bit(token_);
  }

 private:
  Token token_;
  std::vector<Instruction>& program_;
  std::vector<size_t> ends_;
  int64_t waited_ = -1;
};

}  // namespace lichen::tile

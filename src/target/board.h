// Boards: what a design has to fit into, and the memory behind its ports.
//
// Contract: figures come from the board's data file (src/target/boards/*.toml), which names their
// sources and says which are assumptions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

struct MemoryModel {
  std::string kind;
  double peak_gbyte_per_s = 0;  // 10^9 bytes, all ports together
  int64_t ports = 0;
  int64_t port_bits = 0;
  double latency_ns = 0;  // from a read's address to its first beat, unloaded
  double efficiency = 1;  // of the peak that long bursts reach
  double energy_pj_per_bit = 0;
};

struct Board {
  std::string name;
  std::string part;
  std::string dsp_kind;
  int64_t dsp = 0;
  int64_t bram36 = 0;
  int64_t uram = 0;
  int64_t lut = 0;
  int64_t ff = 0;
  MemoryModel memory;
};

// What a design uses, estimated or synthesised.
struct Resources {
  int64_t dsp = 0;
  int64_t bram36 = 0;
  int64_t uram = 0;
  int64_t lut = 0;
  int64_t ff = 0;
};

// Whether something can be built; the answer "no" is no error.
struct Fit {
  bool ok = true;
  std::string reason;
};

// Names the first resource that is too small, and both numbers.
Fit CheckFit(const Resources& used, const Board& board);

std::vector<std::string> BoardNames();
// By name, or a file of one's own where the text ends in .toml.
Result<Board> LoadBoard(const std::string& name_or_file);
Result<Board> ParseBoard(std::string_view text, const std::string& place);
// What ParseBoard() takes.
std::string ToToml(const Board& board);

}  // namespace lichen

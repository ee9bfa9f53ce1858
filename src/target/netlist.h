// Netlists of UltraScale+ cells as Yosys writes them (write_json): what they take, and their logic levels.
//
// Contract: a netlist is one flat module; cells of a type that is not known are instances of other modules.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

enum class CellKind {
  kLut,       // LUT1 to LUT6, INV
  kWideMux,   // MUXF7 to MUXF9: the wide end of a LUT
  kCarry,     // CARRY4, CARRY8
  kLutRam,    // read without a clock
  kShift,     // SRL16E, SRLC32E
  kRegister,  // FDRE and its like
  kBlockRam18,
  kBlockRam36,
  kDsp,
  kOpenDsp,   // neither product nor result has a register
  kOther,     // clock buffers, constants
  kInstance,  // of a module
};

struct Pin {
  std::string name;
  bool is_output = false;
  std::vector<int> nets;  // from the lowest bit; -1: a constant
};

struct Cell {
  CellKind kind = CellKind::kOther;
  std::string type;
  std::vector<Pin> pins;
};

struct Netlist {
  std::string name;
  std::vector<Cell> cells;
  std::vector<Pin> ports;
  int net_count = 0;
};

// Error where the text holds no module but library cells.
Result<Netlist> ParseNetlist(std::string_view json);

struct CellCounts {
  int64_t dsp = 0;
  int64_t bram18 = 0;      // halves of a BRAM36
  int64_t lut = 0;         // with those below
  int64_t lut_memory = 0;  // LUTs that are memory or shift registers
  int64_t ff = 0;
  CellCounts& operator+=(const CellCounts& other);
  bool operator==(const CellCounts&) const = default;
};
CellCounts operator*(int64_t times, CellCounts counts);

CellCounts CountCells(const Netlist& netlist);

// The longest path between registers, block RAMs, DSPs and ports, in levels: a LUT, a read of LUT RAM and a
// whole carry chain are one each, a wide multiplexer belongs to the LUT before it (its select input is a level),
// a DSP without registers is three. `find` gives the module of an instance, or nullptr: then the instance's ports
// are registers.
int64_t LogicLevels(const Netlist& top,
                    const std::function<const Netlist*(const std::string& type)>& find);

}  // namespace lichen

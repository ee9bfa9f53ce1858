#include "accel/tile/register_map.h"

#include <utility>

namespace lichen::tile {

std::vector<RegisterEntry> RegisterMap(const Design& d) {
  using enum RegisterAccess;
  std::vector<RegisterEntry> map = {
      {"id", 0x00, kRead, false, 0x4C494348, "LICH in ASCII", {{"id", 0, 32, "Which engine"}}},
      {"version", 0x04, kRead, false, 1, "Of this map", {{"version", 0, 32, "Its number"}}},
      {"control",
       0x08,
       kWrite,
       false,
       {},
       "Commands",
       {{"start", 0, 1,
         "Runs the program; ignored while busy; clears done, errors, cycles and tokens"}}},
      {"status",
       0x0C,
       kRead,
       true,
       0,
       "What the engine does",
       {{"busy", 0, 1, "A program runs"},
        {"done", 1, 1, "It has ended"},
        {"error", 2, 1, "An error occurred"}}},
      {"program_low",
       0x10,
       kReadWrite,
       false,
       0,
       "Address of the program, a multiple of 32 bytes",
       {{"address", 0, 32, "Bits 31 to 0"}}},
      {"program_high",
       0x14,
       kReadWrite,
       false,
       0,
       "Address of the program",
       {{"address", 0, 8, "Bits 39 to 32"}}},
      {"cycles_low",
       0x18,
       kRead,
       true,
       0,
       "Cycles of the run so far, or of the last run",
       {{"cycles", 0, 32, "Bits 31 to 0"}}},
      {"cycles_high",
       0x1C,
       kRead,
       true,
       0,
       "Cycles of the run so far, or of the last run",
       {{"cycles", 0, 32, "Bits 63 to 32"}}},
      {"interrupt_enable",
       0x20,
       kReadWrite,
       false,
       0,
       "Which interrupts come",
       {{"ended", 0, 1, "At the end of a run"}}},
      {"interrupt_status",
       0x24,
       kReadClear,
       true,
       0,
       "Interrupts that wait",
       {{"ended", 0, 1, "A run has ended"}}},
      {"errors",
       0x28,
       kRead,
       true,
       0,
       "Errors of the run",
       {{"instruction", 0, 1, "An unknown instruction, taken as END"},
        {"read", 1, 1, "A read was answered with an error"},
        {"write", 2, 1, "A write was answered with an error"}}}};
  int address_bytes = 0x40;
  for (const auto& [name, value] : {std::pair{"pif", d.pif},
                                    {"pof", d.pof},
                                    {"poy", d.poy},
                                    {"pox", d.pox},
                                    {"epilogue_lanes", d.epilogue_lanes},
                                    {"operand_bits", d.operand_bits}}) {
    map.push_back({name,
                   address_bytes,
                   kRead,
                   false,
                   value,
                   "Parameter of the design",
                   {{"value", 0, 32, "For the driver's check"}}});
    address_bytes += 4;
  }
  return map;
}

}  // namespace lichen::tile

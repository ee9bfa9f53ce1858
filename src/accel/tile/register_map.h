// The engine's registers, as rtl/README.md lists them and rtl/lib/axi_lite_registers.sv builds them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "accel/tile/design.h"

namespace lichen::tile {

struct RegisterField {
  const char* name;
  int bit;
  int width;
  const char* description;
};

enum class RegisterAccess {
  kRead,
  kWrite,
  kReadWrite,
  kReadClear
};  // kReadClear: writing 1 clears

struct RegisterEntry {
  const char* name;
  int address_bytes;
  RegisterAccess access;
  bool is_volatile;              // the engine changes it
  std::optional<int64_t> reset;  // what it reads after reset
  const char* description;
  std::vector<RegisterField> fields;
};

// In the order of their addresses; 32 bits each.
std::vector<RegisterEntry> RegisterMap(const Design& design);

}  // namespace lichen::tile

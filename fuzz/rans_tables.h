// The tables that the first byte of an input of FuzzRans chooses.
//
// An input: this byte; the symbol count, 2 bytes, the high one first; a byte whose bit 0 says that symbols
// have explicit table numbers (else a table per channel), and whose other bits say how many symbols are
// decoded per call; the segment.
#pragma once

#include <cstdint>

#include "base/probability_table.h"

namespace lichen {

TableSet FuzzRansTables(uint8_t choice);

}  // namespace lichen

// The bundle's description for IP catalogues: IP-XACT, IEEE 1685-2009, which Vivado reads.
//
// Contract: names component lichen:accel:tile_top:1.0 with its bus interfaces, address spaces, registers
// (rtl/README.md), ports and files. Bus types are Xilinx' (aximm, clock, reset, interrupt).
#pragma once

#include <string>

#include "accel/tile/plan.h"

namespace lichen::tile {

// `origin`: a line that says what the file was generated from.
std::string IpXact(const Plan& plan, const std::string& origin);

}  // namespace lichen::tile

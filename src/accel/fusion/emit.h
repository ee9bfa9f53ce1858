// The bundle of a plan: RTL, memory image, testbench, scripts.
//
// Contract: accel/common/bundle.h.
#pragma once

#include <string>
#include <vector>

#include "accel/common/bundle.h"
#include "accel/fusion/plan.h"

namespace lichen::fusion {

// Everything but the plan file, which the caller adds, and the manifest.
std::vector<accel::BundleFile> EmitRtl(const Plan& plan);

// `-GName=value` for Verilator.
std::vector<std::string> EngineParameters(const Design& design);
// SystemVerilog sources of the bundle, packages first; and those of the testbench.
std::vector<std::string> RtlSources();
std::vector<std::string> TestbenchSources();

}  // namespace lichen::fusion

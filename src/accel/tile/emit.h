// The bundle of a plan: everything that is needed to simulate and to build its engine.
//
// Contract: accel/common/bundle.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "accel/common/bundle.h"
#include "accel/tile/plan.h"
#include "base/result.h"

namespace lichen::tile {

using accel::BundleFile;

using accel::EmbeddedFile;

// Everything but the plan file, which the caller adds, and the manifest.
std::vector<BundleFile> EmitRtl(const Plan& plan);

// The line that generated files begin with, after `comment`.
std::string GeneratedHeader(const Plan& plan, std::string_view comment);

// Parameters of tile_engine, in its order.
struct EngineParameter {
  const char* name;
  int64_t value;
};
std::vector<EngineParameter> EngineParametersOf(const Design& design);
// `-GName=value` for Verilator, in the order of tile_engine's parameters.
std::vector<std::string> EngineParameters(const Design& design);
// SystemVerilog sources of the engine in the bundle, packages first.
std::vector<std::string> RtlSources();
// Properties for simulation, which bind themselves to the engine.
std::vector<std::string> PropertySources();

}  // namespace lichen::tile

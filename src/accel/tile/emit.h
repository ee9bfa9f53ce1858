// The bundle of a plan: everything that is needed to simulate and to build its engine.
//
// Contract: identical plans give identical files, without dates or paths. The manifest holds the SHA-256
// of every other file.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "accel/tile/plan.h"
#include "base/result.h"

namespace lichen::tile {

struct BundleFile {
  std::string path;  // within the bundle
  std::vector<uint8_t> bytes;
};

inline constexpr const char* kManifestName = "manifest.json";
inline constexpr const char* kPlanName = "plan.plan";

// Everything but the plan file, which the caller adds, and the manifest.
std::vector<BundleFile> EmitRtl(const Plan& plan);
BundleFile MakeManifest(const std::vector<BundleFile>& files);

// `-GName=value` for Verilator, in the order of tile_engine's parameters.
std::vector<std::string> EngineParameters(const Design& design);
// SystemVerilog sources of the engine in the bundle, packages first.
std::vector<std::string> RtlSources();
// Properties for simulation, which bind themselves to the engine.
std::vector<std::string> PropertySources();

}  // namespace lichen::tile

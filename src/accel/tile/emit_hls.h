// The HLS part of a bundle: the tile engine as C++ for Vitis HLS with a plan's design.
//
// Contract: as of emit.h. All paths begin with hls/. The C simulation needs a C++17 compiler alone.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "accel/tile/emit.h"
#include "accel/tile/plan.h"
#include "base/tensor.h"

namespace lichen::tile {

// A file that every bundle with an HLS part has.
inline constexpr const char* kHlsDesignName = "hls/design.h";

// Everything but the vectors: sources, the design's header, testbench, scripts.
std::vector<BundleFile> EmitHls(const Plan& plan);

// What hls/tb/tb.cc compares: `memory` before the run and the outputs of the plan's layers, in their order. No tensor's
// memory may be used again (Compile() with keeps_tensors).
std::vector<BundleFile> HlsVectors(const Plan& plan, std::span<const uint8_t> memory,
                                   const std::vector<const Tensor<int32_t>*>& outputs);

// Builds the testbench with g++ in the bundle's folder; `program` is what to write, from there.
std::string HlsBuildCommand(const std::string& program);

}  // namespace lichen::tile

// The HLS part of a bundle: built with g++, run in C simulation, compared with the CPU engine.
#pragma once

#include <filesystem>
#include <vector>

#include "apps/bundle_run.h"

namespace lichen {

// Whether the output of each of the plan's layers is the engine's. Writes to the bundle's folder build/.
Result<std::vector<bool>> VerifyHls(const std::filesystem::path& folder, const tile::Plan& plan,
                                    const BundleRun& bundle);

}  // namespace lichen

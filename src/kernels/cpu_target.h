// Which CPU instructions the kernels use.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

// Names that both this machine and this build support, best first, from
// avx3_dl (AVX-512 with VNNI), avx3 (AVX-512), avx2, sse4, scalar.
std::vector<std::string> SupportedCpuTargets();

// Restricts all kernels of the process to one target ("" lifts the restriction). Error: unknown, or
// not supported here. Call before networks are compiled; not while kernels run.
Result<void> SetCpuTarget(const std::string& name);

// The target that kernels use now.
std::string ActiveCpuTarget();

}  // namespace lichen

// Upper bounds that every accepted network keeps, so that later code may multiply without overflow.
//
// Contract: CheckIntNet() and CheckFloatNet() reject what exceeds them; parsers may rely on them
// before they allocate.
#pragma once

#include <cstdint>

namespace lichen {

inline constexpr int64_t kMaxGraphs = 16;
inline constexpr int64_t kMaxNodes = 4096;    // per graph
inline constexpr int64_t kMaxTensors = 8192;  // per graph
inline constexpr int64_t kMaxNodeInputs = 64;
inline constexpr int64_t kMaxChannels = 65536;
inline constexpr int64_t kMaxKernel = 65535;              // also strides and pads
inline constexpr int64_t kMaxBlock = 64;                  // DepthToSpace, SpaceToDepth
inline constexpr int64_t kMaxWeights = int64_t{1} << 28;  // of a whole net
inline constexpr int64_t kMaxTableEntries = int64_t{1}
                                            << 24;  // of a whole net: Lut, Lagc, probabilities
inline constexpr int64_t kMaxSize = (int64_t{1} << 31) - 1;  // rows or columns
inline constexpr int64_t kMaxElements = int64_t{1} << 40;    // of one tensor

}  // namespace lichen

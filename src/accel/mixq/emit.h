// A network's HLS export in the shape of DeepBurning-MixQ's: config.h, weights.hpp, and operators that compute it.
//
// Contract: the network has its foldings. Same network, same files, without dates or paths.
#pragma once

#include <string>
#include <vector>

#include "accel/common/bundle.h"
#include "accel/mixq/network.h"

namespace lichen::mixq {

using accel::BundleFile;

// What every export has, and no other bundle.
inline constexpr const char* kWeightsName = "weights.hpp";
inline constexpr const char* kModelName = "model.lichen";
inline constexpr const char* kInputName = "input.bin";

// Everything but model and picture: headers, network.cpp, operators, testbench, stand-ins of Vitis' headers.
std::vector<BundleFile> Emit(const Network& network);

// Builds the C simulation with g++ in the export's folder; `program` is what to write, from there.
std::string BuildCommand(const std::string& program);

}  // namespace lichen::mixq

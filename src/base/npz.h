// Reads NumPy .npz files: .zip archives of .npy members, stored or deflated.
//
// Contract: the file is not trusted: libzip checks its records and the members' checksums, and memory stays within
// max_bytes for the file and as much for the uncompressed members. Encrypted members are refused. Errors name the file
// and the member.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/npy.h"
#include "base/result.h"

namespace lichen {

// By name, without ".npy".
Result<std::map<std::string, NpyArray>> ReadNpz(const std::filesystem::path& path,
                                                uint64_t max_bytes = uint64_t{1} << 30);

}  // namespace lichen

// NumPy .npy files (format 1.0), C order, little-endian.
//
// Contract: values are held as double-free exact types: integer files as int64, float files as
// float. Reading accepts bool, u1..u4, i1..i8, f2 is refused, f4, f8 (f8 is rounded to float).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace lichen {

struct NpyArray {
  std::vector<int64_t> shape;
  bool is_float = false;
  std::vector<int64_t> integers;  // filled when !is_float
  std::vector<float> floats;      // filled when is_float
  int64_t Count() const;
};

// `place` opens every error message.
Result<NpyArray> ParseNpy(std::span<const uint8_t> file, std::string_view place);
Result<NpyArray> ReadNpy(const std::filesystem::path& path, uint64_t max_bytes = uint64_t{1} << 32);

// Integers are stored in the smallest of i1 u1 i2 u2 i4 i8 that holds [min, max] of the values.
Result<void> WriteNpy(const std::filesystem::path& path, const NpyArray& array);

}  // namespace lichen

// A fusion machine's parameters: the array of fusion units, its buffers and its memory.
//
// Contract: docs/fusion.md gives their meaning. A design file is TOML with these keys; unknown keys
// are errors. CheckDesign() accepts what the generator can build.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "target/board.h"

namespace lichen::fusion {

inline constexpr int64_t kBeatBytes = 16;   // of a memory port
inline constexpr int64_t kBeatDigits = 64;  // of 2 bits
inline constexpr int64_t kWordDigits = 32;  // of a word of the input buffer
inline constexpr int64_t kUnitDigits = 16;  // of an operand word of a fusion unit
inline constexpr int64_t kRecordBytes = 16;

struct Design {
  std::string name;
  int64_t rows = 16;
  int64_t columns = 16;
  int64_t column_sets = 2;
  int64_t input_buffer_words = 1024;    // of 64 bits, in each copy
  int64_t weight_buffer_words = 512;    // of rows * columns * 32 bits
  int64_t step_buffer_words = 512;      // steps
  int64_t parameter_buffer_words = 64;  // of `columns` records of 16 bytes
  int64_t output_buffer_words = 2048;   // of `columns` bytes
  int64_t program_words = 256;          // instructions
  double clock_mhz = 200;

  int64_t StepBeats() const { return 1 + (rows * column_sets + 3) / 4; }
  int64_t BricksPerCycle() const { return rows * columns * kUnitDigits; }
  bool operator==(const Design&) const = default;
};

// What the generator cannot build, or nothing.
Result<void> CheckDesign(const Design& design);
// Whether the board has the machine's memory ports.
Fit CheckBoard(const Design& design, const Board& board);

// Errors name the file, line and key.
Result<Design> LoadDesign(const std::filesystem::path& path);
Result<Design> ParseDesign(std::string_view text, const std::string& place);
std::string ToToml(const Design& design);

}  // namespace lichen::fusion

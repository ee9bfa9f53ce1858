// Instructions of the tile engine: fields, binary encoding (32 bytes) and text, both ways.
//
// Contract: docs/tile.md describes fields and meaning. Encode() needs values that fit their fields
// (FieldProblem() tells); Decode() trusts nothing.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "accel/common/instruction_codec.h"
#include "base/result.h"

namespace lichen::tile {

using accel::EncodedInstruction;
using accel::kInstructionBytes;

// Counters that units wait for, named after giver and taker; bits of the masks.
enum class Token : uint8_t {
  kLoadToCompute = 0,
  kComputeToLoad = 1,
  kWeightToCompute = 2,
  kComputeToWeight = 3,
  kComputeToStore = 4,
  kStoreToCompute = 5,
  kStoreToLoad = 6,
};
inline constexpr int kTokenCount = 7;
constexpr uint32_t Bit(Token token) { return 1U << static_cast<int>(token); }

struct Sync {
  uint32_t wait = 0;  // bits of Token
  uint32_t signal = 0;
  bool operator==(const Sync&) const = default;
};

struct End {
  Sync sync;
  bool operator==(const End&) const = default;
};

struct Load {
  Sync sync;
  uint64_t address_bytes = 0;
  uint32_t row_stride_bytes = 0;
  uint32_t rows = 0;
  uint32_t top_rows = 0;
  uint32_t valid_rows = 0;
  uint32_t row_words = 0;
  uint32_t left_words = 0;
  uint32_t valid_elements = 0;
  uint32_t base = 0;
  uint32_t row_pitch = 0;
  uint32_t chunks = 0;
  uint32_t stride_y = 0;
  uint32_t stride_x = 0;
  uint32_t is_unsigned = 0;
  bool operator==(const Load&) const = default;
};

enum class WeightTarget : uint32_t { kWeights = 0, kParameters = 1 };

struct Weight {
  Sync sync;
  uint64_t address_bytes = 0;
  uint32_t words = 0;
  WeightTarget target = WeightTarget::kWeights;
  uint32_t base = 0;
  bool operator==(const Weight&) const = default;
};

enum class ComputeSource : uint32_t { kInput = 0, kMiddle = 1 };
enum class ComputeTarget : uint32_t { kMiddle = 0, kOutput = 1 };
enum class ComputeKind : uint32_t { kConvolution = 0, kGdn = 1, kIgdn = 2 };

struct Compute {
  Sync sync;
  ComputeSource source = ComputeSource::kInput;
  ComputeTarget target = ComputeTarget::kOutput;
  ComputeKind kind = ComputeKind::kConvolution;
  uint32_t row_groups = 0;
  uint32_t column_groups = 0;
  uint32_t lane_groups = 0;
  uint32_t taps_y = 0;
  uint32_t taps_x = 0;
  uint32_t tap_row = 0;
  uint32_t tap_column = 0;
  uint32_t chunks = 0;
  uint32_t stride_y = 0;
  uint32_t stride_x = 0;
  uint32_t source_base = 0;
  uint32_t source_pitch = 0;
  uint32_t pixel_words = 0;
  uint32_t weight_base = 0;
  uint32_t parameter_base = 0;
  uint32_t parameter_group = 0;
  uint32_t target_base = 0;
  uint32_t target_row_pitch = 0;
  uint32_t target_pitch = 0;
  bool operator==(const Compute&) const = default;
};

struct Store {
  Sync sync;
  uint64_t address_bytes = 0;
  uint32_t row_stride_bytes = 0;
  uint32_t rows = 0;
  uint32_t run = 0;
  uint32_t first = 0;
  uint32_t valid_elements = 0;
  uint32_t base = 0;
  uint32_t row_pitch = 0;
  uint32_t column_pitch = 0;
  uint32_t element_bytes = 0;
  uint32_t split = 0;
  uint32_t second = 0;
  uint32_t pools = 0;
  bool operator==(const Store&) const = default;
};

using Instruction = std::variant<End, Load, Weight, Compute, Store>;

const Sync& SyncOf(const Instruction& instruction);
std::string_view Name(const Instruction& instruction);

// Why its elements are none, or nothing: `run` is at least 1, `split` before its end.
std::string RunProblem(const Store& store);

// What does not fit its field, or nothing.
std::string FieldProblem(const Instruction& instruction);

EncodedInstruction Encode(const Instruction& instruction);
// Error: an unknown opcode, bits set that no field has.
Result<Instruction> Decode(std::span<const uint8_t, kInstructionBytes> bytes);

// One line: `LOAD wait=1 signal=0 address=4096 ...`; every field by its name.
std::string ToText(const Instruction& instruction);
// Takes what ToText() writes, fields in any order, those left out 0; nothing in empty lines and
// comments (#). Errors name the line.
Result<std::vector<Instruction>> Assemble(std::string_view text);

}  // namespace lichen::tile

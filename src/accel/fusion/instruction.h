// Instructions of the fusion machine: fields, binary encoding (32 bytes) and text, both ways.
//
// Contract: docs/fusion.md describes fields and meaning.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "accel/common/instruction_codec.h"
#include "base/result.h"

namespace lichen::fusion {

using accel::EncodedInstruction;
using accel::kInstructionBytes;

inline constexpr uint64_t kAddressUnitBytes = 16;

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

// Where memory is, in units of 16 bytes: address + i0 * step0 + i1 * step1.
struct MemoryAddress {
  uint64_t address = 0;
  uint32_t step0 = 0;
  uint32_t step1 = 0;
  uint64_t At(uint64_t i0, uint64_t i1) const {
    return kAddressUnitBytes * (address + i0 * step0 + i1 * step1);
  }
  bool operator==(const MemoryAddress&) const = default;
};

struct End {
  Sync sync;
  bool operator==(const End&) const = default;
};

struct Loop {
  Sync sync;
  uint32_t level = 0;
  uint32_t count = 0;
  bool operator==(const Loop&) const = default;
};

struct Next {
  Sync sync;
  uint32_t level = 0;
  bool operator==(const Next&) const = default;
};

struct Load {
  Sync sync;
  MemoryAddress memory;
  uint32_t row_stride = 0;  // units of 16 bytes
  uint32_t rows = 0;
  uint32_t row_beats = 0;
  uint32_t base = 0;  // words of 64 bits
  uint32_t row_pitch = 0;
  uint32_t flip = 0;
  bool operator==(const Load&) const = default;
};

enum class WeightTarget : uint32_t { kWeights = 0, kSteps = 1, kParameters = 2 };

struct Weight {
  Sync sync;
  MemoryAddress memory;
  uint32_t words = 0;
  WeightTarget target = WeightTarget::kWeights;
  uint32_t rows = 0;  // of fusion units in a word of weights
  uint32_t flip = 0;
  bool operator==(const Weight&) const = default;
};

enum class GroupKind : uint32_t { kWindows = 0, kChannels = 1 };

struct Compute {
  Sync sync;
  uint32_t groups_log2 = 0;
  GroupKind kind = GroupKind::kWindows;
  uint32_t fold_log2 = 0;
  uint32_t blocks = 0;
  uint32_t rows = 0;
  uint32_t columns = 0;
  uint32_t pool = 1;
  uint32_t steps = 0;
  uint32_t stride_y = 0;
  uint32_t stride_x = 0;
  uint32_t pitch = 0;  // elements
  uint32_t pixel = 0;
  uint32_t block_words = 0;
  uint32_t pixel_words = 0;
  uint32_t first_word = 0;
  uint32_t word_step = 0;
  uint32_t plane_pitch = 0;
  uint32_t bytes_log2 = 0;
  uint32_t flip_source = 0;
  uint32_t flip_weight = 0;
  uint32_t flip_target = 0;
  bool operator==(const Compute&) const = default;
};

struct Store {
  Sync sync;
  MemoryAddress memory;
  uint32_t row_stride = 0;  // units of 16 bytes
  uint32_t rows = 0;
  uint32_t pixels = 0;
  uint32_t elements = 0;  // per pixel
  uint32_t lead = 0;      // digits
  uint32_t row_beats = 0;
  uint32_t base = 0;
  uint32_t pixel_words = 0;
  uint32_t fold_log2 = 0;
  uint32_t digits_log2 = 0;
  uint32_t digit_offset = 0;
  uint32_t flip = 0;
  bool operator==(const Store&) const = default;
};

using Instruction = std::variant<End, Loop, Next, Load, Weight, Compute, Store>;

const Sync& SyncOf(const Instruction& instruction);
std::string_view Name(const Instruction& instruction);
// What does not fit its field, or nothing.
std::string FieldProblem(const Instruction& instruction);
EncodedInstruction Encode(const Instruction& instruction);
Result<Instruction> Decode(std::span<const uint8_t, kInstructionBytes> bytes);
std::string ToText(const Instruction& instruction);
Result<std::vector<Instruction>> Assemble(std::string_view text);

}  // namespace lichen::fusion

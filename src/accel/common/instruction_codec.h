// Instructions as bit fields and as text, for any family's instruction set.
//
// Contract: Traits names the set:
//   using Instruction = std::variant<...>;               // the index is the opcode, 4 bits
//   static constexpr std::string_view kNames[];          // of the alternatives
//   static void Fields(Alternative&, const Visit&);      // visit(name, bits, value) in the order of
//                                                        // the bits, for every alternative
// An instruction has 32 bytes, little-endian: the opcode, then the fields. Encode needs values that
// fit their fields (FieldProblem tells); Decode trusts nothing.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/check.h"
#include "base/result.h"

namespace lichen::accel {

inline constexpr size_t kInstructionBytes = 32;
inline constexpr int kOpcodeBits = 4;
using EncodedInstruction = std::array<uint8_t, kInstructionBytes>;

template <class Traits>
class InstructionCodec {
 public:
  using Instruction = typename Traits::Instruction;

  static std::string FieldProblem(const Instruction& given) {
    Instruction instruction = given;
    std::string problem;
    VisitFields(instruction, [&](std::string_view name, int bits, auto& value) {
      const auto number = static_cast<uint64_t>(value);
      if (problem.empty() && number >> bits != 0) {
        problem = fmt::format("{}: {} is {}, at most {} fits its field", Name(given), name, number,
                              (uint64_t{1} << bits) - 1);
      }
    });
    return problem;
  }

  static EncodedInstruction Encode(const Instruction& given) {
    LICHEN_CHECK(FieldProblem(given).empty());
    Instruction instruction = given;
    EncodedInstruction bytes{};
    Bits bits(bytes);
    bits.Put(kOpcodeBits, instruction.index());
    VisitFields(instruction, [&](std::string_view, int count, auto& value) {
      bits.Put(count, static_cast<uint64_t>(value));
    });
    return bytes;
  }

  // Error: an unknown opcode, bits set that no field has.
  static Result<Instruction> Decode(std::span<const uint8_t, kInstructionBytes> given) {
    EncodedInstruction bytes;
    std::copy(given.begin(), given.end(), bytes.begin());
    Bits bits(bytes);
    const uint64_t opcode = bits.Get(kOpcodeBits);
    if (opcode >= std::size(Traits::kNames)) return Fail("opcode {} is unknown", opcode);
    Instruction instruction = Make(opcode);
    VisitFields(instruction, [&](std::string_view, int count, auto& value) {
      value = static_cast<std::remove_reference_t<decltype(value)>>(bits.Get(count));
    });
    for (size_t at = bits.position(); at < 8 * kInstructionBytes; ++at) {
      if (bytes[at / 8] >> (at % 8) & 1) {
        return Fail("{}: bit {} is set, which no field has", Name(instruction), at);
      }
    }
    return instruction;
  }

  // One line: `LOAD wait=1 signal=0 address=4096 ...`; every field by its name.
  static std::string ToText(const Instruction& given) {
    Instruction instruction = given;
    std::string text(Name(given));
    VisitFields(instruction, [&](std::string_view name, int, auto& value) {
      text += fmt::format(" {}={}", name, static_cast<uint64_t>(value));
    });
    return text;
  }

  // Takes what ToText() writes, fields in any order, those left out 0; nothing in empty lines and
  // comments (#). Errors name the line.
  static Result<std::vector<Instruction>> Assemble(std::string_view text) {
    std::vector<Instruction> program;
    for (int64_t number = 1; !text.empty(); ++number) {
      const size_t end = std::min(text.find('\n'), text.size());
      std::string_view line = text.substr(0, end);
      text.remove_prefix(std::min(end + 1, text.size()));
      line = line.substr(0, line.find('#'));
      if (line.find_first_not_of(kBlank) == line.npos) continue;
      LICHEN_TRY(Instruction instruction,
                 InPlace(fmt::format("line {}", number), AssembleLine(line)));
      program.push_back(std::move(instruction));
    }
    return program;
  }

  static std::string_view Name(const Instruction& instruction) {
    return Traits::kNames[instruction.index()];
  }

 private:
  static constexpr std::string_view kBlank = " \t\r";

  class Bits {
   public:
    explicit Bits(std::span<uint8_t> bytes) : bytes_(bytes) {}
    void Put(int count, uint64_t value) {
      for (int i = 0; i < count; ++i, ++at_) {
        if (value >> i & 1) bytes_[at_ / 8] |= static_cast<uint8_t>(1U << (at_ % 8));
      }
    }
    uint64_t Get(int count) {
      uint64_t value = 0;
      for (int i = 0; i < count; ++i, ++at_) {
        value |= static_cast<uint64_t>(bytes_[at_ / 8] >> (at_ % 8) & 1) << i;
      }
      return value;
    }
    size_t position() const { return at_; }

   private:
    std::span<uint8_t> bytes_;
    size_t at_ = 0;
  };

  template <class Visit>
  static void VisitFields(Instruction& instruction, const Visit& visit) {
    std::visit([&](auto& i) { Traits::Fields(i, visit); }, instruction);
  }

  // The instruction of an opcode, all fields 0.
  static Instruction Make(size_t opcode) {
    return MakeOf(opcode, std::make_index_sequence<std::variant_size_v<Instruction>>());
  }
  template <size_t... kIndices>
  static Instruction MakeOf(size_t opcode, std::index_sequence<kIndices...>) {
    using Maker = Instruction (*)();
    constexpr Maker kMakers[] = {[] { return Instruction(std::in_place_index<kIndices>); }...};
    return kMakers[opcode]();
  }

  static std::string_view NextWord(std::string_view& line) {
    const size_t begin = std::min(line.find_first_not_of(kBlank), line.size());
    const size_t end = std::min(line.find_first_of(kBlank, begin), line.size());
    const std::string_view word = line.substr(begin, end - begin);
    line.remove_prefix(end);
    return word;
  }

  static Result<Instruction> AssembleLine(std::string_view line) {
    const std::string_view name = NextWord(line);
    const auto* found = std::find(std::begin(Traits::kNames), std::end(Traits::kNames), name);
    if (found == std::end(Traits::kNames)) {
      return Fail("unknown instruction '{}'; there are {}", name, fmt::join(Traits::kNames, ", "));
    }
    Instruction instruction = Make(static_cast<size_t>(found - Traits::kNames));
    for (std::string_view word = NextWord(line); !word.empty(); word = NextWord(line)) {
      const size_t equals = word.find('=');
      const std::string_view key = word.substr(0, equals);
      uint64_t value = 0;
      const std::string_view digits =
          equals == word.npos ? std::string_view() : word.substr(equals + 1);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
        return Fail("'{}': write FIELD=NUMBER", word);
      }
      bool is_known = false;
      bool fits = true;
      VisitFields(instruction, [&](std::string_view field, int bits, auto& target) {
        if (field != key) return;
        is_known = true;
        fits = value >> bits == 0;
        if (fits) target = static_cast<std::remove_reference_t<decltype(target)>>(value);
      });
      if (!is_known) return Fail("{} has no field '{}'", name, key);
      if (!fits) return Fail("{}={} does not fit its field", key, value);
    }
    return instruction;
  }
};

}  // namespace lichen::accel

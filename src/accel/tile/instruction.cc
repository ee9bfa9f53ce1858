#include "accel/tile/instruction.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace lichen::tile {
namespace {

constexpr int kOpcodeBits = 4;
constexpr int kMaskBits = kTokenCount;

// visit(name, bits, value) for each field in the order of its bits.
template <class Visit>
void Fields(End&, const Visit&) {}

template <class Visit>
void Fields(Load& i, const Visit& visit) {
  visit("address", 40, i.address_bytes);
  visit("row_stride", 24, i.row_stride_bytes);
  visit("rows", 12, i.rows);
  visit("top_rows", 8, i.top_rows);
  visit("valid_rows", 12, i.valid_rows);
  visit("row_words", 16, i.row_words);
  visit("left_words", 12, i.left_words);
  visit("valid_elements", 20, i.valid_elements);
  visit("base", 16, i.base);
  visit("row_pitch", 16, i.row_pitch);
  visit("chunks", 10, i.chunks);
  visit("stride_y", 4, i.stride_y);
  visit("stride_x", 4, i.stride_x);
  visit("is_unsigned", 1, i.is_unsigned);
}

template <class Visit>
void Fields(Weight& i, const Visit& visit) {
  visit("address", 40, i.address_bytes);
  visit("words", 20, i.words);
  visit("target", 1, i.target);
  visit("base", 16, i.base);
}

template <class Visit>
void Fields(Compute& i, const Visit& visit) {
  visit("source", 1, i.source);
  visit("target", 1, i.target);
  visit("kind", 2, i.kind);
  visit("row_groups", 10, i.row_groups);
  visit("column_groups", 10, i.column_groups);
  visit("lane_groups", 8, i.lane_groups);
  visit("taps_y", 4, i.taps_y);
  visit("taps_x", 6, i.taps_x);
  visit("tap_row", 4, i.tap_row);
  visit("tap_column", 6, i.tap_column);
  visit("chunks", 10, i.chunks);
  visit("stride_y", 4, i.stride_y);
  visit("stride_x", 4, i.stride_x);
  visit("source_base", 16, i.source_base);
  visit("source_pitch", 16, i.source_pitch);
  visit("pixel_words", 10, i.pixel_words);
  visit("weight_base", 16, i.weight_base);
  visit("parameter_base", 12, i.parameter_base);
  visit("parameter_group", 8, i.parameter_group);
  visit("target_base", 16, i.target_base);
  visit("target_row_pitch", 16, i.target_row_pitch);
  visit("target_pitch", 12, i.target_pitch);
}

template <class Visit>
void Fields(Store& i, const Visit& visit) {
  visit("address", 40, i.address_bytes);
  visit("row_stride", 24, i.row_stride_bytes);
  visit("rows", 12, i.rows);
  visit("run", 14, i.run);
  visit("first", 14, i.first);
  visit("valid_elements", 20, i.valid_elements);
  visit("base", 16, i.base);
  visit("row_pitch", 16, i.row_pitch);
  visit("column_pitch", 12, i.column_pitch);
  visit("element_bytes", 2, i.element_bytes);
  visit("split", 14, i.split);
  visit("second", 14, i.second);
  visit("pools", 1, i.pools);
}

template <class Visit>
void AllFields(Instruction& instruction, const Visit& visit) {
  std::visit(
      [&](auto& i) {
        visit("wait", kMaskBits, i.sync.wait);
        visit("signal", kMaskBits, i.sync.signal);
        Fields(i, visit);
      },
      instruction);
}

constexpr std::string_view kNames[] = {"END", "LOAD", "WEIGHT", "COMPUTE", "STORE"};

// The instruction of an opcode, all fields 0.
Instruction Make(size_t opcode) {
  switch (opcode) {
    case 1:
      return Load{};
    case 2:
      return Weight{};
    case 3:
      return Compute{};
    case 4:
      return Store{};
    default:
      return End{};
  }
}

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

std::string_view NextWord(std::string_view& line) {
  const size_t begin = std::min(line.find_first_not_of(" \t\r"), line.size());
  const size_t end = std::min(line.find_first_of(" \t\r", begin), line.size());
  const std::string_view word = line.substr(begin, end - begin);
  line.remove_prefix(end);
  return word;
}

Result<Instruction> AssembleLine(std::string_view line) {
  const std::string_view name = NextWord(line);
  const auto* found = std::find(std::begin(kNames), std::end(kNames), name);
  if (found == std::end(kNames)) {
    return Fail("unknown instruction '{}'; there are {}", name, fmt::join(kNames, ", "));
  }
  Instruction instruction = Make(static_cast<size_t>(found - kNames));
  for (std::string_view word = NextWord(line); !word.empty(); word = NextWord(line)) {
    const size_t equals = word.find('=');
    const std::string_view key = word.substr(0, equals);
    uint64_t value = 0;
    const std::string_view digits =
        equals == word.npos ? std::string_view() : word.substr(equals + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) {
      return Fail("'{}': write FIELD=NUMBER", word);
    }
    bool is_known = false;
    bool fits = true;
    AllFields(instruction, [&](std::string_view field, int bits, auto& target) {
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

}  // namespace

const Sync& SyncOf(const Instruction& instruction) {
  return std::visit([](const auto& i) -> const Sync& { return i.sync; }, instruction);
}

std::string_view Name(const Instruction& instruction) { return kNames[instruction.index()]; }

std::string FieldProblem(const Instruction& given) {
  Instruction instruction = given;
  std::string problem;
  AllFields(instruction, [&](std::string_view name, int bits, auto& value) {
    const auto number = static_cast<uint64_t>(value);
    if (problem.empty() && number >> bits != 0) {
      problem = fmt::format("{}: {} is {}, at most {} fits its field", Name(given), name, number,
                            (uint64_t{1} << bits) - 1);
    }
  });
  return problem;
}

EncodedInstruction Encode(const Instruction& given) {
  LICHEN_CHECK(FieldProblem(given).empty());
  Instruction instruction = given;
  EncodedInstruction bytes{};
  Bits bits(bytes);
  bits.Put(kOpcodeBits, instruction.index());
  AllFields(instruction, [&](std::string_view, int count, auto& value) {
    bits.Put(count, static_cast<uint64_t>(value));
  });
  return bytes;
}

Result<Instruction> Decode(std::span<const uint8_t, kInstructionBytes> given) {
  EncodedInstruction bytes;
  std::copy(given.begin(), given.end(), bytes.begin());
  Bits bits(bytes);
  const uint64_t opcode = bits.Get(kOpcodeBits);
  if (opcode >= std::size(kNames)) return Fail("opcode {} is unknown", opcode);
  Instruction instruction = Make(opcode);
  AllFields(instruction, [&](std::string_view, int count, auto& value) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(bits.Get(count));
  });
  const size_t end = bits.position();
  for (size_t at = end; at < 8 * kInstructionBytes; ++at) {
    if (bytes[at / 8] >> (at % 8) & 1) {
      return Fail("{}: bit {} is set, which no field has", Name(instruction), at);
    }
  }
  return instruction;
}

std::string ToText(const Instruction& given) {
  Instruction instruction = given;
  std::string text(Name(given));
  AllFields(instruction, [&](std::string_view name, int, auto& value) {
    text += fmt::format(" {}={}", name, static_cast<uint64_t>(value));
  });
  return text;
}

Result<std::vector<Instruction>> Assemble(std::string_view text) {
  std::vector<Instruction> program;
  for (int64_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = line.substr(0, line.find('#'));
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    LICHEN_TRY(Instruction instruction,
               InPlace(fmt::format("line {}", number), AssembleLine(line)));
    program.push_back(std::move(instruction));
  }
  return program;
}

}  // namespace lichen::tile

#include "accel/tile/instruction.h"

#include <fmt/format.h>

namespace lichen::tile {
namespace {

// visit(name, bits, value) for each field behind the masks, in the order of its bits.
template <class Visit>
void OwnFields(End&, const Visit&) {}

template <class Visit>
void OwnFields(Load& i, const Visit& visit) {
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
void OwnFields(Weight& i, const Visit& visit) {
  visit("address", 40, i.address_bytes);
  visit("words", 20, i.words);
  visit("target", 1, i.target);
  visit("base", 16, i.base);
}

template <class Visit>
void OwnFields(Compute& i, const Visit& visit) {
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
void OwnFields(Store& i, const Visit& visit) {
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

struct Traits {
  using Instruction = tile::Instruction;
  static constexpr std::string_view kNames[] = {"END", "LOAD", "WEIGHT", "COMPUTE", "STORE"};

  static void Fields(auto& i, const auto& visit) {
    visit("wait", kTokenCount, i.sync.wait);
    visit("signal", kTokenCount, i.sync.signal);
    OwnFields(i, visit);
  }
};

using Codec = accel::InstructionCodec<Traits>;

}  // namespace

const Sync& SyncOf(const Instruction& instruction) {
  return std::visit([](const auto& i) -> const Sync& { return i.sync; }, instruction);
}

std::string_view Name(const Instruction& instruction) { return Codec::Name(instruction); }
std::string RunProblem(const Store& store) {
  if (store.run == 0) return "run is 0";
  if (store.split < store.run) return "";
  return fmt::format("split is {}, not within a run of {}", store.split, store.run);
}

std::string FieldProblem(const Instruction& instruction) {
  return Codec::FieldProblem(instruction);
}
EncodedInstruction Encode(const Instruction& instruction) { return Codec::Encode(instruction); }
Result<Instruction> Decode(std::span<const uint8_t, kInstructionBytes> bytes) {
  return Codec::Decode(bytes);
}
std::string ToText(const Instruction& instruction) { return Codec::ToText(instruction); }
Result<std::vector<Instruction>> Assemble(std::string_view text) { return Codec::Assemble(text); }

}  // namespace lichen::tile

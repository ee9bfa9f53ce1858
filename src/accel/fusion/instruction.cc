#include "accel/fusion/instruction.h"

namespace lichen::fusion {
namespace {

struct Traits {
  using Instruction = fusion::Instruction;
  static constexpr std::string_view kNames[] = {"END",    "LOOP",    "NEXT", "LOAD",
                                                "WEIGHT", "COMPUTE", "STORE"};

  static void Head(Sync& sync, const auto& visit) {
    visit("wait", kTokenCount, sync.wait);
    visit("signal", kTokenCount, sync.signal);
  }
  static void Address(MemoryAddress& memory, const auto& visit) {
    visit("address", 36, memory.address);
    visit("step0", 24, memory.step0);
    visit("step1", 24, memory.step1);
  }

  static void Fields(End& i, const auto& visit) { Head(i.sync, visit); }
  static void Fields(Loop& i, const auto& visit) {
    Head(i.sync, visit);
    visit("level", 1, i.level);
    visit("count", 16, i.count);
  }
  static void Fields(Next& i, const auto& visit) {
    Head(i.sync, visit);
    visit("level", 1, i.level);
  }
  static void Fields(Load& i, const auto& visit) {
    Head(i.sync, visit);
    Address(i.memory, visit);
    visit("row_stride", 20, i.row_stride);
    visit("rows", 12, i.rows);
    visit("row_beats", 12, i.row_beats);
    visit("base", 16, i.base);
    visit("row_pitch", 16, i.row_pitch);
    visit("flip", 1, i.flip);
  }
  static void Fields(Weight& i, const auto& visit) {
    Head(i.sync, visit);
    Address(i.memory, visit);
    visit("words", 16, i.words);
    visit("target", 2, i.target);
    visit("rows", 7, i.rows);
    visit("flip", 1, i.flip);
  }
  static void Fields(Compute& i, const auto& visit) {
    Head(i.sync, visit);
    visit("groups", 3, i.groups_log2);
    visit("kind", 1, i.kind);
    visit("fold", 2, i.fold_log2);
    visit("blocks", 10, i.blocks);
    visit("rows", 12, i.rows);
    visit("columns", 12, i.columns);
    visit("pool", 2, i.pool);
    visit("steps", 12, i.steps);
    visit("stride_y", 4, i.stride_y);
    visit("stride_x", 4, i.stride_x);
    visit("pitch", 20, i.pitch);
    visit("pixel", 14, i.pixel);
    visit("block_words", 12, i.block_words);
    visit("pixel_words", 10, i.pixel_words);
    visit("first_word", 10, i.first_word);
    visit("word_step", 10, i.word_step);
    visit("plane_pitch", 16, i.plane_pitch);
    visit("bytes", 2, i.bytes_log2);
    visit("flip_source", 1, i.flip_source);
    visit("flip_weight", 1, i.flip_weight);
    visit("flip_target", 1, i.flip_target);
  }
  static void Fields(Store& i, const auto& visit) {
    Head(i.sync, visit);
    Address(i.memory, visit);
    visit("row_stride", 20, i.row_stride);
    visit("rows", 12, i.rows);
    visit("pixels", 12, i.pixels);
    visit("elements", 14, i.elements);
    visit("lead", 14, i.lead);
    visit("row_beats", 12, i.row_beats);
    visit("base", 16, i.base);
    visit("pixel_words", 10, i.pixel_words);
    visit("fold", 2, i.fold_log2);
    visit("digits", 2, i.digits_log2);
    visit("digit_offset", 3, i.digit_offset);
    visit("flip", 1, i.flip);
  }
};

using Codec = accel::InstructionCodec<Traits>;

}  // namespace

const Sync& SyncOf(const Instruction& instruction) {
  return std::visit([](const auto& i) -> const Sync& { return i.sync; }, instruction);
}

std::string_view Name(const Instruction& instruction) { return Codec::Name(instruction); }
std::string FieldProblem(const Instruction& instruction) {
  return Codec::FieldProblem(instruction);
}
EncodedInstruction Encode(const Instruction& instruction) { return Codec::Encode(instruction); }
Result<Instruction> Decode(std::span<const uint8_t, kInstructionBytes> bytes) {
  return Codec::Decode(bytes);
}
std::string ToText(const Instruction& instruction) { return Codec::ToText(instruction); }
Result<std::vector<Instruction>> Assemble(std::string_view text) { return Codec::Assemble(text); }

}  // namespace lichen::fusion

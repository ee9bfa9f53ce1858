#include "target/packing_emit.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "target/packing_cost.h"
#include "target/packing_layout.h"
#include "target/packing_testbench.h"

namespace lichen {
namespace {

struct RtlFile {
  const char* name;
  const char* text;
};
constexpr RtlFile kRtl[] = {
#include "target/packing_rtl.inc"
};

// A list of numbers as a packed parameter, the last highest.
template <class Get>
std::string List(const PackingRecipe& recipe, int bits, const Get& get) {
  std::vector<std::string> entries;
  for (size_t part = 0; part < recipe.parts.size(); ++part) {
    for (const int64_t value : get(part)) {
      const uint64_t field = static_cast<uint64_t>(value) & ((uint64_t{1} << bits) - 1);
      entries.push_back(fmt::format("{}'d{}", bits, field));
    }
  }
  std::ranges::reverse(entries);
  std::string text = "{";
  size_t column = 4;
  for (size_t i = 0; i < entries.size(); ++i) {
    const std::string entry = entries[i] + (i + 1 < entries.size() ? ", " : "}");
    if (column + entry.size() > 90) {
      text += "\n        ";
      column = 8;
    }
    text += entry;
    column += entry.size();
  }
  return text;
}

int ValueBits(const PackingRecipe& recipe) {
  int bits = 1;
  for (const PackedPart& part : recipe.parts) {
    for (const PackedLane& lane : part.lanes) bits = std::max(bits, lane.bits);
  }
  return bits;
}

std::string Parameters(const PackingRecipe& r) {
  const size_t lanes = r.parts[0].lanes.size();
  const auto per_part = [&](int bits, const auto& get) {
    return List(r, bits, [&](size_t p) { return std::vector<int64_t>{get(r.parts[p])}; });
  };
  const auto per_lane = [&](int bits, const auto& get) {
    return List(r, bits, [&](size_t p) {
      std::vector<int64_t> values;
      for (size_t l = 0; l < lanes; ++l) values.push_back(get(r.parts[p], l));
      return values;
    });
  };
  const auto bases = [&](std::vector<int> PackedPart::*member) {
    return List(r, 8, [&](size_t p) {
      return std::vector<int64_t>((r.parts[p].*member).begin(), (r.parts[p].*member).end());
    });
  };
  const std::string order = List(r, 8, [&](size_t p) {
    const std::vector<size_t> own = LaneOrder(r, p);
    return std::vector<int64_t>(own.begin(), own.end());
  });
  std::vector<std::string> kept;
  for (size_t l = lanes; l-- > 0;) {
    for (size_t p = r.parts.size(); p-- > 0;) {
      kept.push_back(KeepsCarry(r.parts[p], LaneOrder(r, p)[l]) ? "1'b1" : "1'b0");
    }
  }
  using Lane = const PackedPart&;
  const std::vector<std::pair<const char*, std::string>> parameters = {
      {"Parts", fmt::format("{}", r.parts.size())},
      {"Depth", fmt::format("{}", r.problem.accumulate)},
      {"Weights", fmt::format("{}", r.WeightCount())},
      {"Activations", fmt::format("{}", r.ActivationCount())},
      {"ActivationBits", fmt::format("{}", r.problem.activation_bits)},
      {"Lanes", fmt::format("{}", lanes)},
      {"SumBits", fmt::format("{}", AccumulatorBits(r.problem))},
      {"ValueBits", fmt::format("{}", ValueBits(r))},
      {"SplitBits", fmt::format("{}", r.split_bits)},
      {"PartBits", per_part(8, [](Lane p) { return p.activation_bits; })},
      {"PartShift", per_part(8, [](Lane p) { return p.activation_shift; })},
      {"ActivationOnA", per_part(1, [](Lane p) { return p.is_weight_on_wide ? 0 : 1; })},
      {"TopOffset", per_part(1, [](Lane p) { return p.offset == ActivationOffset::kTop ? 1 : 0; })},
      {"AllOffset", per_part(1, [](Lane p) { return p.offset == ActivationOffset::kAll ? 1 : 0; })},
      {"WeightBase", bases(&PackedPart::weight_base)},
      {"ActivationBase", bases(&PackedPart::activation_base)},
      {"LaneBase", per_lane(8, [](Lane p, size_t l) { return p.lanes[l].base; })},
      {"LaneBits", per_lane(8, [](Lane p, size_t l) { return p.lanes[l].bits; })},
      {"Spill", per_lane(8, [](Lane p, size_t l) { return p.lanes[l].spill; })},
      {"CarryMax", per_lane(8, [](Lane p, size_t l) { return p.lanes[l].carry_max; })},
      {"Difference", per_lane(1, [](Lane p, size_t l) { return NeedsDifference(p, l) ? 1 : 0; })},
      {"LowBias", per_lane(2, [](Lane p, size_t l) { return p.lanes[l].bias; })},
      {"LaneOrder", order},
      {"CarryKept", fmt::format("{{{}}}", fmt::join(kept, ", "))},
      {"PreConstant", per_part(27, [](Lane p) { return p.pre_adder; })},
      {"PostConstant", per_part(48, [](Lane p) { return p.post_constant; })}};
  std::string text;
  for (const auto& [name, value] : parameters) {
    text += fmt::format("{}      .{}({})", text.empty() ? "" : ",\n", name, value);
  }
  return text;
}

std::string Instance(const PackingRecipe& r) {
  const PackingProblem& p = r.problem;
  const PackedPorts ports = PackedPortsOf(r);
  return fmt::format(
      "{}// Kernel rows of {}, {}-bit weights ({}), {}-bit activations: {} taps of {} channels by "
      "{} pixels of {} rows,\n"
      "// {:.4g} multiply-accumulates per DSP and cycle. Ports as packed_mac's.\n"
      "module {} (\n"
      "  input  logic clk_i,\n"
      "  input  logic [{}:0] weight_word_i,\n"
      "  input  logic [{}:0] weight_low_i,\n"
      "  input  logic [{}:0] activation_i,\n"
      "  input  logic first_i,\n"
      "  input  logic enable_i,\n"
      "  input  logic [{}:0] start_i,\n"
      "  output logic [{}:0] sums_o\n"
      ");\n"
      "  packed_mac #(\n{}\n"
      "  ) u_mac (\n"
      "      .clk_i, .weight_word_i, .weight_low_i, .activation_i, .first_i, .enable_i, .start_i, "
      ".sums_o);\n"
      "endmodule\n",
      kPackingHeader, p.kernel, p.weight_bits, NameOf(p.weight_range), p.activation_bits, r.taps,
      r.channels, r.pixels, r.rows, r.factor, ModuleName(p), ports.words - 1, ports.lows - 1,
      ports.activations - 1, ports.sums - 1, ports.sums - 1, Parameters(r));
}

}  // namespace

std::string ModuleName(const PackingProblem& p) {
  std::string range = NameOf(p.weight_range);
  std::ranges::replace(range, '-', '_');
  return fmt::format("packed_k{}_w{}_a{}_{}_d{}_o{}", p.kernel, p.weight_bits, p.activation_bits,
                     range, p.accumulate, p.max_overlap);
}

std::vector<int64_t> StepConstants(const PackingRecipe& recipe) {
  std::vector<int64_t> constants(recipe.parts[0].lanes.size());
  for (size_t p = 0; p < recipe.parts.size(); ++p) {
    const PackedPart& part = recipe.parts[p];
    const std::vector<size_t> order = LaneOrder(recipe, p);
    for (size_t l = 0; l < constants.size(); ++l) {
      const int64_t value = part.lanes[order[l]].bias + (KeepsCarry(part, order[l]) ? 1 : 0);
      constants[l] += value * (int64_t{1} << (part.weight_shift + part.activation_shift));
    }
  }
  return constants;
}

Result<std::vector<PackingFile>> EmitPacking(std::span<const PackingRecipe> recipes) {
  std::vector<PackingFile> files;
  std::string estimates;
  for (const PackingRecipe& recipe : recipes) {
    if (recipe.problem.device != DspDevice::kDsp48e2) {
      return Fail("device {}: the RTL instantiates DSP48E2; --device dsp48e2 makes it",
                  PortsOf(recipe.problem.device).name);
    }
    const std::string name = ModuleName(recipe.problem);
    files.push_back({name + ".sv", Instance(recipe)});
    files.push_back({name + "_test.sv", PackingTest(recipe)});
    files.push_back({name + ".hex", PackingVectors(recipe)});
    estimates +=
        fmt::format("{} {} {:.0f}\n", name, recipe.DspCount(), recipe.luts * recipe.DspCount());
  }
  files.push_back({"packing_test.sv", PackingTestTop(recipes)});
  files.push_back({"estimates.txt", estimates});
  for (const RtlFile& file : kRtl) files.push_back({file.name, file.text});
  return files;
}

std::vector<PackingProblem> SamplePackings() {
  constexpr auto kFull = WeightRange::kFull;
  constexpr auto kNarrow = WeightRange::kNarrow;
  constexpr auto kDevice = DspDevice::kDsp48e2;
  return {
      {1, 2, 2, kFull, 1, kDevice, 1},   {1, 4, 4, kFull, 1, kDevice, 1},
      {1, 8, 8, kFull, 1, kDevice, 1},   {1, 5, 3, kNarrow, 1, kDevice, 2},
      {1, 3, 8, kFull, 2, kDevice, 1},   {3, 2, 2, kNarrow, 1, kDevice, 1},
      {3, 3, 2, kFull, 1, kDevice, 1},   {3, 4, 4, kFull, 1, kDevice, 0},
      {3, 4, 4, kFull, 1, kDevice, 1},   {3, 4, 4, kNarrow, 1, kDevice, 2},
      {3, 4, 4, kNarrow, 2, kDevice, 1}, {3, 4, 4, kNarrow, 4, kDevice, 1},
      {3, 4, 4, kNarrow, 8, kDevice, 2}, {3, 3, 8, kNarrow, 1, kDevice, 1},
      {3, 5, 5, kFull, 1, kDevice, 2},   {3, 6, 6, kNarrow, 1, kDevice, 1},
      {3, 7, 8, kFull, 1, kDevice, 1},   {3, 8, 8, kFull, 2, kDevice, 2},
      {5, 2, 2, kFull, 1, kDevice, 1},   {5, 2, 4, kNarrow, 1, kDevice, 1},
      {5, 4, 4, kNarrow, 1, kDevice, 1}, {5, 3, 3, kFull, 4, kDevice, 2},
      {5, 4, 2, kNarrow, 1, kDevice, 2}, {7, 3, 5, kFull, 2, kDevice, 1},
      {3, 2, 2, kFull, 1, kDevice, 2},
  };
}

}  // namespace lichen

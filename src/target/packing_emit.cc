#include "target/packing_emit.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <random>

#include "target/packing_cases.h"
#include "target/packing_cost.h"
#include "target/packing_layout.h"
#include "target/packing_model.h"

namespace lichen {
namespace {

struct RtlFile {
  const char* name;
  const char* text;
};
constexpr RtlFile kRtl[] = {
#include "target/packing_rtl.inc"
};

constexpr int kGroups = 60;        // sums in a test
constexpr int kStepsPerGroup = 4;  // products added up in each accumulator
constexpr int kWordBits = 27;      // a weight word's place in a port

// A number as bits, the highest first.
std::string Bits(uint64_t value, int count) {
  std::string bits;
  for (int i = count - 1; i >= 0; --i) bits += value >> i & 1 ? '1' : '0';
  return bits;
}

std::string Hex(std::string bits) {
  bits.insert(0, (4 - bits.size() % 4) % 4, '0');
  std::string hex;
  for (size_t i = 0; i < bits.size(); i += 4) {
    hex += "0123456789abcdef"[std::stoi(bits.substr(i, 4), nullptr, 2)];
  }
  return hex;
}

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

int SumBits(const PackingRecipe& recipe) { return AccumulatorBits(recipe.problem); }

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
      {"SumBits", fmt::format("{}", SumBits(r))},
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

constexpr const char* kHeader = "// Generated by lichen packing. Do not edit.\n";

std::string Instance(const PackingRecipe& r) {
  const PackingProblem& p = r.problem;
  const auto depth = static_cast<size_t>(p.accumulate);
  const size_t words = kWordBits * depth * r.parts.size();
  const size_t lows = 2 * r.WeightCount() * depth * r.parts.size();
  const size_t activations = static_cast<size_t>(p.activation_bits) * r.ActivationCount() * depth;
  const size_t sums = static_cast<size_t>(SumBits(r)) * r.parts[0].lanes.size();
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
      kHeader, p.kernel, p.weight_bits, NameOf(p.weight_range), p.activation_bits, r.taps,
      r.channels, r.pixels, r.rows, r.factor, ModuleName(p), words - 1, lows - 1, activations - 1,
      sums - 1, sums - 1, Parameters(r));
}

// What the offsets took off each sum: a constant of the weights.
std::vector<int64_t> Corrections(const PackingRecipe& r, std::span<const int32_t> weights) {
  std::vector<int64_t> corrections(r.parts[0].lanes.size());
  for (size_t p = 0; p < r.parts.size(); ++p) {
    const PackedPart& part = r.parts[p];
    const auto pairs = PairsOf(part);
    const std::vector<size_t> order = LaneOrder(r, p);
    for (size_t l = 0; l < corrections.size(); ++l) {
      for (size_t d = 0; d < static_cast<size_t>(r.problem.accumulate); ++d) {
        for (const OperandPair& pair : pairs[order[l]]) {
          const int64_t weight =
              WeightPart(r, p, weights[d * r.WeightCount() + static_cast<size_t>(pair.weight)]);
          corrections[l] -= weight * part.OffsetOf(static_cast<size_t>(pair.activation)) *
                            (int64_t{1} << (part.weight_shift + part.activation_shift));
        }
      }
    }
  }
  return corrections;
}

// Operand bits of a step, as the ports take them.
std::string StepBits(const PackingRecipe& r, const PackingModel& model, const OperandCases& cases) {
  const auto depth = static_cast<size_t>(r.problem.accumulate);
  std::string words, lows, activations;
  for (size_t p = r.parts.size(); p-- > 0;) {
    for (size_t d = depth; d-- > 0;) {
      const auto weights = cases.weights().subspan(d * r.WeightCount(), r.WeightCount());
      words += Bits(model.WeightWord(p, weights), kWordBits);
      for (size_t w = r.WeightCount(); w-- > 0;) {
        lows += Bits(static_cast<uint64_t>(WeightPart(r, p, weights[w])), 2);
      }
    }
  }
  for (size_t i = cases.activations().size(); i-- > 0;) {
    activations += Bits(static_cast<uint64_t>(cases.activations()[i]), r.problem.activation_bits);
  }
  return words + lows + activations;
}

std::string SumsBits(const std::vector<int64_t>& sums, int bits) {
  std::string text;
  for (size_t i = sums.size(); i-- > 0;) text += Bits(static_cast<uint64_t>(sums[i]), bits);
  return text;
}

// A line per step: expected sums and start of its group, words, low bits, activations.
std::string Vectors(const PackingRecipe& r) {
  const PackingModel model(r);
  OperandCases cases(r);
  std::mt19937_64 random(1);
  const std::vector<int64_t> constants = StepConstants(r);
  const size_t lanes = constants.size();
  std::string text;
  for (int group = 0; group < kGroups; ++group) {
    std::vector<std::string> steps;
    std::vector<int64_t> start(lanes), sums(lanes), step_sums(lanes);
    for (int step = 0; step < kStepsPerGroup; ++step) {
      group % 2 == 0 ? cases.Corner(random) : cases.Random(random);
      model.Expect(cases.weights(), cases.activations(), step_sums);
      const std::vector<int64_t> corrections = Corrections(r, cases.weights());
      for (size_t l = 0; l < lanes; ++l) {
        sums[l] += step_sums[l];
        start[l] += corrections[l] - constants[l];
      }
      steps.push_back(StepBits(r, model, cases));
    }
    const std::string head = SumsBits(sums, SumBits(r)) + SumsBits(start, SumBits(r));
    for (const std::string& step : steps) text += Hex(head + step) + "\n";
  }
  return text;
}

std::string Test(const PackingRecipe& r) {
  const PackingProblem& p = r.problem;
  const std::string name = ModuleName(p);
  const auto depth = static_cast<size_t>(p.accumulate);
  const size_t words = kWordBits * depth * r.parts.size();
  const size_t lows = 2 * r.WeightCount() * depth * r.parts.size();
  const size_t set = static_cast<size_t>(p.activation_bits) * r.ActivationCount();
  const size_t sums = static_cast<size_t>(SumBits(r)) * r.parts[0].lanes.size();
  return fmt::format(
      R"({0}// Plays {1}.hex: {2} steps of operands, {3} to a sum; compares every sum.
module {1}_test (
  input  logic clk_i,
  output logic done_o,
  output int   errors_o
);
  localparam int Steps = {2};
  localparam int Group = {3};
  localparam int Depth = {4};
  localparam int Parts = {5};
  localparam int WordBits = {6};
  localparam int LowBits = {7};
  localparam int SetBits = {8};
  localparam int SumsBits = {9};
  localparam int Latency = Depth + 1 + Parts;  // from set 0 to enable
  logic [2*SumsBits+WordBits+LowBits+SetBits*Depth-1:0] steps[Steps];
  initial $readmemh("{1}.hex", steps);

  // Step n's set d is shown in cycle n + d.
  int cycle = 0;
  logic [WordBits-1:0] weight_word;
  logic [LowBits-1:0] weight_low;
  logic [SetBits*Depth-1:0] activation;
  logic [SumsBits-1:0] start, sums;
  logic first, enable;
  always_comb begin
    weight_word = '0;
    weight_low = '0;
    activation = '0;
    for (int d = 0; d < Depth; d++) begin
      if (cycle >= d && cycle - d < Steps) begin
        activation[SetBits*d+:SetBits] = steps[cycle-d][SetBits*d+:SetBits];
        for (int p = 0; p < Parts; p++) begin
          weight_word[27*(Depth*p+d)+:27] = steps[cycle-d][SetBits*Depth+LowBits+27*(Depth*p+d)+:27];
          weight_low[LowBits/Depth/Parts*(Depth*p+d)+:LowBits/Depth/Parts] =
              steps[cycle-d][SetBits*Depth+LowBits/Depth/Parts*(Depth*p+d)+:LowBits/Depth/Parts];
        end
      end
    end
    enable = cycle >= Latency && cycle - Latency < Steps;
    first = enable && (cycle - Latency) % Group == 0;
    start = enable ? steps[cycle-Latency][SetBits*Depth+LowBits+WordBits+:SumsBits] : '0;
  end
  {1} u_dut (
      .clk_i, .weight_word_i(weight_word), .weight_low_i(weight_low), .activation_i(activation),
      .first_i(first), .enable_i(enable), .start_i(start), .sums_o(sums));

  initial errors_o = 0;
  always_ff @(posedge clk_i) begin
    cycle <= cycle + 1;
    if (cycle > Latency && cycle - Latency <= Steps && (cycle - Latency) % Group == 0) begin
      if (sums != steps[cycle-Latency-1][SetBits*Depth+LowBits+WordBits+SumsBits+:SumsBits]) begin
        errors_o <= errors_o + 1;
      end
    end
  end
  assign done_o = cycle > Latency + Steps + 1;
endmodule
)",
      kHeader, name, kGroups * kStepsPerGroup, kStepsPerGroup, depth, r.parts.size(), words, lows,
      set, sums);
}

std::string Top(std::span<const PackingRecipe> recipes) {
  std::string text = fmt::format(
      "{}// All tests. verilator --binary --assert --x-initial unique -Wno-fatal --top-module "
      "packing_test *.sv && obj_dir/Vpacking_test\n"
      "module packing_test;\n"
      "  localparam int Tests = {};\n"
      "  logic clk = 1'b0;\n"
      "  always #5 clk = !clk;\n"
      "  logic [Tests-1:0] done;\n"
      "  int errors[Tests];\n",
      kHeader, recipes.size());
  std::string report;
  for (size_t i = 0; i < recipes.size(); ++i) {
    const std::string name = ModuleName(recipes[i].problem);
    text += fmt::format(
        "  {0}_test u_{0} (.clk_i(clk), .done_o(done[{1}]), .errors_o(errors[{1}]));\n", name, i);
    report += fmt::format(
        "      if (errors[{}] != 0) $display(\"{}: %0d wrong sums\", errors[{}]);\n", i, name, i);
  }
  return text + fmt::format(
                    "  always @(posedge clk) begin\n"
                    "    if (&done) begin\n{}"
                    "      foreach (errors[i]) if (errors[i] != 0) $fatal(1, \"not equal\");\n"
                    "      $display(\"equal: {}\");\n"
                    "      $finish;\n"
                    "    end\n"
                    "  end\n"
                    "endmodule\n",
                    report, recipes.size());
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
    files.push_back({name + "_test.sv", Test(recipe)});
    files.push_back({name + ".hex", Vectors(recipe)});
    estimates +=
        fmt::format("{} {} {:.0f}\n", name, recipe.DspCount(), recipe.luts * recipe.DspCount());
  }
  files.push_back({"packing_test.sv", Top(recipes)});
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
  };
}

}  // namespace lichen

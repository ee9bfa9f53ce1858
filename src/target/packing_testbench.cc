#include "target/packing_testbench.h"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "target/packing_cases.h"
#include "target/packing_cost.h"
#include "target/packing_emit.h"
#include "target/packing_layout.h"
#include "target/packing_model.h"

namespace lichen {
namespace {

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
  for (size_t i = sums.size(); i-- > 0;) {
    // Sums of the widest operands have more bits than int64_t: copies of the sign.
    text += std::string(static_cast<size_t>(std::max(0, bits - 64)), sums[i] < 0 ? '1' : '0');
    text += Bits(static_cast<uint64_t>(sums[i]), std::min(bits, 64));
  }
  return text;
}

}  // namespace

PackedPorts PackedPortsOf(const PackingRecipe& r) {
  const auto depth = static_cast<size_t>(r.problem.accumulate);
  const size_t sets = depth * r.parts.size();
  return {
      .words = kWordBits * sets,
      .lows = 2 * r.WeightCount() * sets,
      .activations = static_cast<size_t>(r.problem.activation_bits) * r.ActivationCount() * depth,
      .sums = static_cast<size_t>(AccumulatorBits(r.problem)) * r.parts[0].lanes.size()};
}

std::string PackingVectors(const PackingRecipe& r) {
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
    const std::string head =
        SumsBits(sums, AccumulatorBits(r.problem)) + SumsBits(start, AccumulatorBits(r.problem));
    for (const std::string& step : steps) text += Hex(head + step) + "\n";
  }
  return text;
}

std::string PackingTest(const PackingRecipe& r) {
  const PackingProblem& p = r.problem;
  const std::string name = ModuleName(p);
  const PackedPorts ports = PackedPortsOf(r);
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
      kPackingHeader, name, kGroups * kStepsPerGroup, kStepsPerGroup, p.accumulate, r.parts.size(),
      ports.words, ports.lows, ports.activations / static_cast<size_t>(p.accumulate), ports.sums);
}

std::string PackingTestTop(std::span<const PackingRecipe> recipes) {
  std::string text = fmt::format(
      "{}// All tests. verilator --binary --assert --x-initial unique -Wno-fatal --top-module "
      "packing_test *.sv && obj_dir/Vpacking_test\n"
      "module packing_test;\n"
      "  localparam int Tests = {};\n"
      "  logic clk = 1'b0;\n"
      "  always #5 clk = !clk;\n"
      "  logic [Tests-1:0] done;\n"
      "  int errors[Tests];\n",
      kPackingHeader, recipes.size());
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

}  // namespace lichen

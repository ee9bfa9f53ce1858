// Several low-bit multiply-accumulates in one DSP48E2, or in a cascade of them: the hardware of a
// packing recipe (docs/packing.md; `lichen packing --emit` writes an instance).
//
// sums_o(l) <= (first_i ? start_i(l) : sums_o(l)) + lane l of the products + StepConstant(l), where
// StepConstant is the recipe's. Operand set d is given d cycles after set 0; first_i, start_i and
// enable_i Depth + 1 + Parts cycles after set 0. Lists begin with the lowest entry, part 0 (the
// high part of a split operand) before part 1; numbers in lists have 8 bits.
module packed_mac #(
  parameter int unsigned Parts = 1,  // DSPs that share an operand split in two
  parameter int unsigned Depth = 1,  // DSPs in a cascade
  parameter int unsigned Weights = 3,  // in a word
  parameter int unsigned Activations = 3,  // in a word
  parameter int unsigned ActivationBits = 4,
  parameter int unsigned Lanes = 5,
  parameter int unsigned SumBits = 20,  // of an accumulator
  parameter int unsigned ValueBits = 10,  // of the widest lane
  parameter int unsigned SplitBits = 0,  // of the low part
  parameter bit [8*Parts-1:0] PartBits = 8'd4,  // of an activation, by part
  parameter bit [8*Parts-1:0] PartShift = '0,
  parameter bit [Parts-1:0] ActivationOnA = '0,
  parameter bit [Parts-1:0] TopOffset = '0,
  parameter bit [Parts-1:0] AllOffset = '0,
  parameter bit [8*Weights*Parts-1:0] WeightBase = {8'd20, 8'd10, 8'd0},
  parameter bit [8*Activations*Parts-1:0] ActivationBase = {8'd20, 8'd10, 8'd0},
  parameter bit [8*Lanes*Parts-1:0] LaneBase = {8'd40, 8'd30, 8'd20, 8'd10, 8'd0},
  parameter bit [8*Lanes*Parts-1:0] LaneBits = {5{8'd8}},
  parameter bit [8*Lanes*Parts-1:0] Spill = '0,
  parameter bit [8*Lanes*Parts-1:0] CarryMax = '0,
  parameter bit [Lanes*Parts-1:0] Difference = '0,
  parameter bit [2*Lanes*Parts-1:0] LowBias = '0,
  parameter bit [8*Lanes*Parts-1:0] LaneOrder = {8'd4, 8'd3, 8'd2, 8'd1, 8'd0},  // of sums
  parameter bit [Lanes*Parts-1:0] CarryKept = '0,  // of sum l in part p at l * Parts + p: reaches its accumulator
  parameter bit [27*Parts-1:0] PreConstant = '0,
  parameter bit [48*Parts-1:0] PostConstant = '0
) (
  input  logic                                        clk_i,
  input  logic [                  27*Depth*Parts-1:0] weight_word_i,  // set d of part p at p * Depth + d
  input  logic [           2*Weights*Depth*Parts-1:0] weight_low_i,  // the same
  input  logic [ActivationBits*Activations*Depth-1:0] activation_i,  // set d at d
  input  logic                                        first_i,
  input  logic                                        enable_i,
  input  logic [                   SumBits*Lanes-1:0] start_i,
  output logic [                   SumBits*Lanes-1:0] sums_o
);
  // By part, in the order of sums.
  logic [ValueBits*Lanes*Parts-1:0] values;
  logic [Lanes*Parts-1:0] carries;

  for (genvar p = 0; p < Parts; p++) begin : gen_part
    // The low bits that the lane below needs.
    localparam bit [8*Lanes-1:0] OwnSpill = Spill[8*Lanes*p+:8*Lanes];
    localparam bit [8*Lanes-1:0] LowBits = OwnSpill << 8;
    logic [47:0] sum;
    logic [2*Lanes-1:0] low;
    logic [ValueBits*Lanes-1:0] own_values;
    logic [Lanes-1:0] own_carries;

    packed_cascade #(
        .Depth(Depth), .Weights(Weights), .Activations(Activations),
        .ActivationBits(ActivationBits), .PartBits(32'(PartBits[8*p+:8])),
        .PartShift(32'(PartShift[8*p+:8])), .Lanes(Lanes), .ActivationOnA(ActivationOnA[p]),
        .TopOffset(TopOffset[p]), .AllOffset(AllOffset[p]),
        .WeightBase(WeightBase[8*Weights*p+:8*Weights]),
        .ActivationBase(ActivationBase[8*Activations*p+:8*Activations]),
        .LaneBase(LaneBase[8*Lanes*p+:8*Lanes]), .LowBits(LowBits),
        .LowBias(LowBias[2*Lanes*p+:2*Lanes]), .PreConstant(PreConstant[27*p+:27]),
        .PostConstant(PostConstant[48*p+:48])
    ) u_cascade (
        .clk_i, .weight_word_i(weight_word_i[27*Depth*p+:27*Depth]),
        .weight_low_i(weight_low_i[2*Weights*Depth*p+:2*Weights*Depth]), .activation_i,
        .p_o(sum), .low_o(low));

    packed_decoder #(
        .Lanes(Lanes), .ValueBits(ValueBits), .LaneBase(LaneBase[8*Lanes*p+:8*Lanes]),
        .LaneBits(LaneBits[8*Lanes*p+:8*Lanes]), .Spill(OwnSpill),
        .CarryMax(CarryMax[8*Lanes*p+:8*Lanes]), .Difference(Difference[Lanes*p+:Lanes])
    ) u_decoder (
        .p_i(sum), .low_i(low), .value_o(own_values), .carry_o(own_carries));

    for (genvar l = 0; l < Lanes; l++) begin : gen_order
      localparam int unsigned From = 32'(LaneOrder[8*(Lanes*p+l)+:8]);
      assign values[ValueBits*(Lanes*p+l)+:ValueBits] = own_values[ValueBits*From+:ValueBits];
      assign carries[Lanes*p+l] = own_carries[From];
    end
  end

  for (genvar l = 0; l < Lanes; l++) begin : gen_sum
    // -carry = !carry - 1: the inverted carry is the adder's carry input, the 1 part of StepConstant.
    localparam bit [Parts-1:0] HasCarry = CarryKept[l*Parts+:Parts];
    logic [SumBits-1:0] step;
    logic carry_n;
    if (Parts == 1) begin : gen_whole
      assign step = SumBits'(values[ValueBits*l+:ValueBits]);
      assign carry_n = HasCarry[0] & !carries[l];
    end else begin : gen_split
      // The high part's carry counts 2^SplitBits: SplitBits ones below its value, and one more in
      // the accumulator's adder.
      logic high_carry_n, low_carry_n;
      assign high_carry_n = HasCarry[0] & !carries[l];
      assign low_carry_n = HasCarry[1] & !carries[Lanes+l];
      // One adder: the carry goes in from below the lowest bit.
      logic [SumBits:0] sum;
      assign sum = {SumBits'({values[ValueBits*l+:ValueBits], {SplitBits{high_carry_n}}}), 1'b1}
          + {SumBits'(values[ValueBits*(Lanes+l)+:ValueBits]), low_carry_n};
      always_ff @(posedge clk_i) begin
        step <= sum[SumBits:1];
        carry_n <= high_carry_n;
      end
      logic unused_sum;
      assign unused_sum = sum[0];
    end
    always_ff @(posedge clk_i) begin
      if (enable_i) begin
        sums_o[SumBits*l+:SumBits] <= step
            + (first_i ? start_i[SumBits*l+:SumBits] : sums_o[SumBits*l+:SumBits])
            + SumBits'(carry_n);
      end
    end
  end
endmodule

// Cuts the sum of packed products into its lanes. Combinational.
//
// Lane l is value_o less its carry_o bit, plus nothing else: biases stay in. A lane's bits that lie on
// the next lane are what the next lane's low bits exceed its known ones by. Where Difference is
// set the carry is taken off here, modulo 2^Bits, and carry_o is 0.
module packed_decoder #(
  parameter int unsigned Lanes = 5,
  parameter int unsigned ValueBits = 10,  // of the widest lane
  parameter bit [8*Lanes-1:0] LaneBase = {8'd40, 8'd30, 8'd20, 8'd10, 8'd0},
  parameter bit [8*Lanes-1:0] LaneBits = {5{8'd8}},
  parameter bit [8*Lanes-1:0] Spill = '0,  // bits on the next lane: 0, 1 or 2
  parameter bit [8*Lanes-1:0] CarryMax = '0,  // into the next lane
  parameter bit [Lanes-1:0] Difference = '0
) (
  input  logic [               47:0] p_i,
  input  logic [        2*Lanes-1:0] low_i,  // of each lane, biased
  output logic [ValueBits*Lanes-1:0] value_o,
  output logic [          Lanes-1:0] carry_o  // still to be taken off, 0 or 1
);
  logic [3*(Lanes+1)-1:0] carry  /* verilator split_var */;  // into each lane, from the one below
  assign carry[2:0] = '0;

  for (genvar l = 0; l < Lanes; l++) begin : gen_lane
    localparam int unsigned Base = 32'(LaneBase[8*l+:8]);
    localparam int unsigned Bits = 32'(LaneBits[8*l+:8]);
    localparam int unsigned Above = 32'(Spill[8*l+:8]);
    localparam int unsigned Carry = 32'(CarryMax[8*l+:8]);

    logic [2:0] above;
    logic [Bits-1:0] field;
    if (Above > 0) begin : gen_spill
      localparam int unsigned Next = 32'(LaneBase[8*(l+1)+:8]);
      assign above[0] = p_i[Next] ^ low_i[2*(l+1)];
      if (Above > 1) begin : gen_two
        assign above[1] = p_i[Next+1] ^ low_i[2*(l+1)+1] ^ (!p_i[Next] & low_i[2*(l+1)]);
      end else begin : gen_one
        assign above[1] = 1'b0;
      end
      assign above[2] = 1'b0;
      assign field = {above[Above-1:0], p_i[Base+:Bits-Above]};
    end else begin : gen_apart
      assign above = '0;
      assign field = p_i[Base+:Bits];
    end

    logic borrow;
    if (Difference[l]) begin : gen_difference
      logic [Bits:0] difference;
      assign difference = {1'b0, field} - (Bits + 1)'(carry[3*l+:3]);
      assign borrow = difference[Bits];
      assign value_o[ValueBits*l+:ValueBits] = ValueBits'(difference[Bits-1:0]);
      assign carry_o[l] = 1'b0;
    end else begin : gen_plain
      assign borrow = 1'b0;
      assign value_o[ValueBits*l+:ValueBits] = ValueBits'(field);
      assign carry_o[l] = carry[3*l];
    end

    // What the lane gives to the next: at most 2^Above.
    if (Carry == 0) begin : gen_no_carry
      assign carry[3*(l+1)+:3] = '0;
    end else if (Carry < 2 ** Above) begin : gen_carry
      assign carry[3*(l+1)+:3] = above;
    end else begin : gen_borrow
      assign carry[3*(l+1)+:3] = above | (3'(borrow) << Above);
    end

    logic unused_borrow;
    assign unused_borrow = ^{borrow, carry[3*l+:3], above};
  end

  logic unused_bits;
  assign unused_bits = ^{p_i, low_i, carry};
endmodule

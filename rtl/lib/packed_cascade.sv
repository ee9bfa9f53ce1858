// A cascade of DSP48E2 that multiplies packed words, and beside it the low bits of every lane,
// from the operands' low bits.
//
// Operand set d is given d cycles after set 0. Latency: Depth + 2 cycles from set 0 to p_o and
// low_o. Weights come as words packed beforehand, with the low 2 bits of each. docs/packing.md
// says what the parameters mean; numbers in lists have 8 bits, the first lowest.
module packed_cascade #(
  parameter int unsigned Depth = 1,  // DSPs: products added before the lanes are unpacked
  parameter int unsigned Weights = 3,  // in a word
  parameter int unsigned Activations = 3,  // in a word
  parameter int unsigned ActivationBits = 4,  // of an activation
  parameter int unsigned PartBits = 4,  // of these, multiplied here
  parameter int unsigned PartShift = 0,  // from this bit
  parameter int unsigned Lanes = 5,
  parameter bit ActivationOnA = 1'b0,
  parameter bit TopOffset = 1'b0,  // the topmost activation enters less 2^(PartBits - 1)
  parameter bit AllOffset = 1'b0,  // all do
  parameter bit [8*Weights-1:0] WeightBase = {8'd20, 8'd10, 8'd0},
  parameter bit [8*Activations-1:0] ActivationBase = {8'd20, 8'd10, 8'd0},
  parameter bit [8*Lanes-1:0] LaneBase = {8'd40, 8'd30, 8'd20, 8'd10, 8'd0},
  parameter bit [8*Lanes-1:0] LowBits = '0,  // needed of each lane: 0, 1 or 2
  parameter bit [2*Lanes-1:0] LowBias = '0,  // of each lane's bias
  parameter bit [26:0] PreConstant = '0,
  parameter bit [47:0] PostConstant = '0
) (
  input  logic                                        clk_i,
  input  logic [                        27*Depth-1:0] weight_word_i,  // low 18 of a set where B
  input  logic [                 2*Weights*Depth-1:0] weight_low_i,
  input  logic [ActivationBits*Activations*Depth-1:0] activation_i,
  output logic [                                47:0] p_o,
  output logic [                         2*Lanes-1:0] low_o
);
  localparam int unsigned SetBits = ActivationBits * Activations;

  logic [48*(Depth+1)-1:0] cascade;
  logic [2*Lanes*(Depth+1)-1:0] known;  // low bits of the sum so far
  assign cascade[47:0] = '0;
  assign known[2*Lanes-1:0] = LowBias;

  for (genvar d = 0; d < Depth; d++) begin : gen_dsp
    // Fields are wires. With TopOffset the topmost's top bit, inverted, is the word's sign.
    logic [26:0] word;
    logic [2*Activations-1:0] activation_low;
    always_comb begin
      word = '0;
      for (int i = 0; i < Activations; i++) begin
        for (int b = 0; b < PartBits; b++) begin
          word[32'(ActivationBase[8*i+:8])+b] = activation_i[SetBits*d+ActivationBits*i+PartShift+b];
        end
      end
      if (TopOffset) begin
        for (int b = 32'(ActivationBase[8*(Activations-1)+:8]) + PartBits - 1; b < 27; b++) begin
          word[b] = !activation_i[SetBits*d+ActivationBits*(Activations-1)+PartShift+PartBits-1];
        end
      end
      // The low 2 bits as multiplied: an offset reaches them where there are no more than 2.
      for (int i = 0; i < Activations; i++) begin
        activation_low[2*i+:2] = '0;
        for (int b = 0; b < 2 && b < PartBits; b++) begin
          activation_low[2*i+b] = activation_i[SetBits*d+ActivationBits*i+PartShift+b];
        end
        if (PartBits <= 2 && (AllOffset || (TopOffset && i == Activations - 1))) begin
          for (int b = PartBits - 1; b < 2; b++) begin
            activation_low[2*i+b] = !activation_i[SetBits*d+ActivationBits*i+PartShift+PartBits-1];
          end
        end
      end
    end

    logic [47:0] unused_p;
    dsp48e2_packed #(
        .Cascaded(d > 0), .ActivationOnA(ActivationOnA), .PreConstant(PreConstant),
        .PostConstant(PostConstant)
    ) u_dsp (
        .clk_i, .a_i(ActivationOnA ? word : weight_word_i[27*d+:27]),
        .b_i(ActivationOnA ? weight_word_i[27*d+:18] : word[17:0]), .pcin_i(cascade[48*d+:48]),
        .pcout_o(cascade[48*(d+1)+:48]), .p_o(unused_p));

    // Sums of products modulo 4, bit by bit; what LowBits leaves out falls away.
    logic [2*Lanes-1:0] low, low_q;
    always_comb begin
      low = known[2*Lanes*d+:2*Lanes];
      for (int l = 0; l < Lanes; l++) begin
        for (int w = 0; w < Weights; w++) begin
          for (int a = 0; a < Activations; a++) begin
            if (WeightBase[8*w+:8] + ActivationBase[8*a+:8] == LaneBase[8*l+:8]) begin
              low[2*l+1] = low[2*l+1]
                  ^ (weight_low_i[2*(Weights*d+w)+1] & activation_low[2*a])
                  ^ (weight_low_i[2*(Weights*d+w)] & activation_low[2*a+1])
                  ^ (low[2*l] & weight_low_i[2*(Weights*d+w)] & activation_low[2*a]);
              low[2*l] = low[2*l] ^ (weight_low_i[2*(Weights*d+w)] & activation_low[2*a]);
            end
          end
        end
        if (LowBits[8*l+:8] == 0) low[2*l] = 1'b0;
        if (LowBits[8*l+:8] < 2) low[2*l+1] = 1'b0;
      end
    end
    always_ff @(posedge clk_i) low_q <= low;
    assign known[2*Lanes*(d+1)+:2*Lanes] = low_q;

    logic unused_word;
    assign unused_word = ^{weight_word_i[27*d+:27], word};
  end

  assign p_o = cascade[48*Depth+:48];
  delay_line #(
      .DataWidth(2 * Lanes), .Stages(2)
  ) u_low (
      .clk_i, .data_i(known[2*Lanes*Depth+:2*Lanes]), .data_o(low_o));
endmodule

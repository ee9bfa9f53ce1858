// Behavioural twin of the Xilinx DSP48E2 in the mode that dsp48e2_packed uses.
//
// Modelled: P <= (A + D) * B or A * (B + D), + C or PCIN as OPMODE says, with AREG = BREG = MREG =
// PREG = 1 and all other registers 0. The pre-adder wraps at 27 bits; of its sum B's path takes
// 18. Not modelled: accumulation, clock enables, pattern detection, resets.
// Latency: 3 cycles from A and B to P.
module dsp48e2_packed_sim #(
  parameter bit ActivationOnA = 1'b0  // AMULTSEL "AD" and PREADDINSEL "A", else "B"
) (
  input  logic        CLK,
  input  logic [29:0] A,
  input  logic [17:0] B,
  input  logic [47:0] C,
  input  logic [26:0] D,
  input  logic [ 8:0] OPMODE,
  input  logic [47:0] PCIN,
  output logic [47:0] P,
  output logic [47:0] PCOUT
);
  logic [26:0] a_q;
  logic [17:0] b_q;
  logic [26:0] ad;
  logic signed [26:0] multiplier_a;
  logic signed [17:0] multiplier_b;
  logic signed [44:0] m_q;
  logic [47:0] p_q;

  assign ad = D + (ActivationOnA ? a_q : {{9{b_q[17]}}, b_q});
  assign multiplier_a = ActivationOnA ? ad : a_q;
  assign multiplier_b = ActivationOnA ? b_q : ad[17:0];

  always_ff @(posedge CLK) begin
    a_q <= A[26:0];
    b_q <= B;
    m_q <= multiplier_a * multiplier_b;
    p_q <= {{3{m_q[44]}}, m_q} + (OPMODE[6:4] == 3'b001 ? PCIN : C);
  end

  // X and Y: the product; Z: PCIN or C; W: 0.
  always_comb assert (OPMODE == 9'b00_001_0101 || OPMODE == 9'b00_011_0101);

  assign P = p_q;
  assign PCOUT = p_q;

  logic unused_bits;
  assign unused_bits = ^{A[29:27], ad[26:18]};
endmodule

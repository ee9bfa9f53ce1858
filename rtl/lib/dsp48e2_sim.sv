// Behavioural twin of the Xilinx DSP48E2 in the one mode that dsp48e2_mac uses.
//
// Modelled: P <= M + (Z: 0 or PCIN) + (W: 0 or P), M = A * B, with AREG = BREG = MREG = PREG =
// OPMODEREG = 1, ALUMODE 0, no carry, clock enables of P only. Not modelled: C, D, pre-adder,
// pattern detection, resets (the primitive's registers begin at 0).
// Latency: 3 cycles from A and B to P.
module dsp48e2_sim (
  input  logic        CLK,
  input  logic [29:0] A,
  input  logic [17:0] B,
  input  logic [ 8:0] OPMODE,
  input  logic        CEP,
  input  logic [47:0] PCIN,
  output logic [47:0] P,
  output logic [47:0] PCOUT
);
  logic signed [26:0] a_q;
  logic signed [17:0] b_q;
  logic signed [44:0] m_q;
  logic [8:4] opmode_q;
  logic [47:0] p_q;

  always_ff @(posedge CLK) begin
    a_q <= A[26:0];
    b_q <= B;
    m_q <= a_q * b_q;
    opmode_q <= OPMODE[8:4];
    if (CEP) begin
      p_q <= {{3{m_q[44]}}, m_q} + (opmode_q[6:4] == 3'b001 ? PCIN : '0)
             + (opmode_q[8:7] == 2'b01 ? p_q : '0);
    end
  end

  always_comb assert (OPMODE[3:0] == 4'b0101);  // X and Y: the product

  assign P = p_q;
  assign PCOUT = p_q;

  logic unused_a;
  assign unused_a = ^A[29:27];
endmodule

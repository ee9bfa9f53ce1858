// One DSP48E2: P <= A * B + PCIN (when Cascaded) + P (when accumulate).
//
// Latency: 3 cycles from a_i and b_i to p_o; accumulate_i is given 1 cycle after its operands,
// enable_i (of P) 2 cycles after them; pcin_i is added to the product that reaches P at the end of
// the same cycle. With the macro LICHEN_DSP48E2 the primitive is instantiated, else its behavioural
// twin.
module dsp48e2_mac #(
  parameter bit Cascaded = 1'b1  // adds pcin_i
) (
  input  logic        clk_i,
  input  logic [26:0] a_i,  // signed
  input  logic [17:0] b_i,  // signed
  input  logic        accumulate_i,
  input  logic        enable_i,
  input  logic [47:0] pcin_i,
  output logic [47:0] pcout_o,
  output logic [47:0] p_o
);
  logic [8:0] opmode;
  assign opmode = {1'b0, accumulate_i, 2'b00, Cascaded, 4'b0101};

`ifdef LICHEN_DSP48E2
  DSP48E2 #(
      .AREG(1), .ACASCREG(1), .BREG(1), .BCASCREG(1), .MREG(1), .PREG(1), .OPMODEREG(1),
      .ADREG(0), .CREG(0), .DREG(0), .INMODEREG(0), .ALUMODEREG(0), .CARRYINREG(0), .CARRYINSELREG(0)
  ) u_dsp (
      .CLK(clk_i), .A({{3{a_i[26]}}, a_i}), .B(b_i), .C(48'd0), .D(27'd0), .PCIN(pcin_i),
      .PCOUT(pcout_o), .P(p_o), .OPMODE(opmode), .ALUMODE(4'd0), .INMODE(5'd0), .CARRYIN(1'b0),
      .CARRYINSEL(3'd0), .CARRYCASCIN(1'b0), .MULTSIGNIN(1'b0), .ACIN(30'd0), .BCIN(18'd0),
      .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b0), .CEALUMODE(1'b0), .CEB1(1'b0), .CEB2(1'b1), .CEC(1'b0),
      .CECARRYIN(1'b0), .CECTRL(1'b1), .CED(1'b0), .CEINMODE(1'b0), .CEM(1'b1), .CEP(enable_i),
      .RSTA(1'b0), .RSTALLCARRYIN(1'b0), .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0),
      .RSTCTRL(1'b0), .RSTD(1'b0), .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0),
      .ACOUT(), .BCOUT(), .CARRYCASCOUT(), .CARRYOUT(), .MULTSIGNOUT(), .OVERFLOW(),
      .PATTERNBDETECT(), .PATTERNDETECT(), .UNDERFLOW(), .XOROUT());
`else
  dsp48e2_sim u_dsp (
      .CLK(clk_i), .A({{3{a_i[26]}}, a_i}), .B(b_i), .OPMODE(opmode), .CEP(enable_i), .PCIN(pcin_i),
      .P(p_o), .PCOUT(pcout_o));
`endif
endmodule

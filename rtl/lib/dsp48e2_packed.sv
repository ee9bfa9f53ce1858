// One DSP48E2 of a packed product: P <= weights * (activations + PreConstant) + PostConstant, or
// + PCIN where it is cascaded.
//
// The pre-adder stands before the activations' port. Latency: 3 cycles from operands to p_o;
// pcin_i is added to the product that reaches P at the end of the same cycle. With the macro
// LICHEN_DSP48E2 the primitive is instantiated, else its behavioural twin.
module dsp48e2_packed #(
  parameter bit Cascaded = 1'b0,
  parameter bit ActivationOnA = 1'b0,  // activations on the wide port, weights on the narrow one
  parameter bit [26:0] PreConstant = '0,  // signed
  parameter bit [47:0] PostConstant = '0  // where not cascaded
) (
  input  logic        clk_i,
  input  logic [26:0] a_i,  // signed
  input  logic [17:0] b_i,  // signed
  input  logic [47:0] pcin_i,
  output logic [47:0] pcout_o,
  output logic [47:0] p_o
);
  localparam bit [8:0] Opmode = Cascaded ? 9'b00_001_0101 : 9'b00_011_0101;

`ifdef LICHEN_DSP48E2
  if (ActivationOnA) begin : gen_a
    DSP48E2 #(
        .AMULTSEL("AD"), .BMULTSEL("B"), .PREADDINSEL("A"),
        .AREG(1), .ACASCREG(1), .BREG(1), .BCASCREG(1), .MREG(1), .PREG(1), .OPMODEREG(0),
        .ADREG(0), .CREG(0), .DREG(0), .INMODEREG(0), .ALUMODEREG(0), .CARRYINREG(0),
        .CARRYINSELREG(0)
    ) u_dsp (
        .CLK(clk_i), .A({{3{a_i[26]}}, a_i}), .B(b_i), .C(PostConstant), .D(PreConstant),
        .PCIN(pcin_i), .PCOUT(pcout_o), .P(p_o), .OPMODE(Opmode), .ALUMODE(4'd0),
        .INMODE(5'b00100), .CARRYIN(1'b0), .CARRYINSEL(3'd0), .CARRYCASCIN(1'b0),
        .MULTSIGNIN(1'b0), .ACIN(30'd0), .BCIN(18'd0), .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b0),
        .CEALUMODE(1'b0), .CEB1(1'b0), .CEB2(1'b1), .CEC(1'b0), .CECARRYIN(1'b0), .CECTRL(1'b0),
        .CED(1'b0), .CEINMODE(1'b0), .CEM(1'b1), .CEP(1'b1), .RSTA(1'b0), .RSTALLCARRYIN(1'b0),
        .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0),
        .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0), .ACOUT(), .BCOUT(), .CARRYCASCOUT(),
        .CARRYOUT(), .MULTSIGNOUT(), .OVERFLOW(), .PATTERNBDETECT(), .PATTERNDETECT(),
        .UNDERFLOW(), .XOROUT());
  end else begin : gen_b
    DSP48E2 #(
        .AMULTSEL("A"), .BMULTSEL("AD"), .PREADDINSEL("B"),
        .AREG(1), .ACASCREG(1), .BREG(1), .BCASCREG(1), .MREG(1), .PREG(1), .OPMODEREG(0),
        .ADREG(0), .CREG(0), .DREG(0), .INMODEREG(0), .ALUMODEREG(0), .CARRYINREG(0),
        .CARRYINSELREG(0)
    ) u_dsp (
        .CLK(clk_i), .A({{3{a_i[26]}}, a_i}), .B(b_i), .C(PostConstant), .D(PreConstant),
        .PCIN(pcin_i), .PCOUT(pcout_o), .P(p_o), .OPMODE(Opmode), .ALUMODE(4'd0),
        .INMODE(5'b00100), .CARRYIN(1'b0), .CARRYINSEL(3'd0), .CARRYCASCIN(1'b0),
        .MULTSIGNIN(1'b0), .ACIN(30'd0), .BCIN(18'd0), .CEA1(1'b0), .CEA2(1'b1), .CEAD(1'b0),
        .CEALUMODE(1'b0), .CEB1(1'b0), .CEB2(1'b1), .CEC(1'b0), .CECARRYIN(1'b0), .CECTRL(1'b0),
        .CED(1'b0), .CEINMODE(1'b0), .CEM(1'b1), .CEP(1'b1), .RSTA(1'b0), .RSTALLCARRYIN(1'b0),
        .RSTALUMODE(1'b0), .RSTB(1'b0), .RSTC(1'b0), .RSTCTRL(1'b0), .RSTD(1'b0),
        .RSTINMODE(1'b0), .RSTM(1'b0), .RSTP(1'b0), .ACOUT(), .BCOUT(), .CARRYCASCOUT(),
        .CARRYOUT(), .MULTSIGNOUT(), .OVERFLOW(), .PATTERNBDETECT(), .PATTERNDETECT(),
        .UNDERFLOW(), .XOROUT());
  end
`else
  dsp48e2_packed_sim #(
      .ActivationOnA(ActivationOnA)
  ) u_dsp (
      .CLK(clk_i), .A({{3{a_i[26]}}, a_i}), .B(b_i), .C(PostConstant), .D(PreConstant),
      .OPMODE(Opmode), .PCIN(pcin_i), .P(p_o), .PCOUT(pcout_o));
`endif
endmodule

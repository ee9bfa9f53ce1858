// Array of I x L x P multipliers: in every pixel lane and lane, sum += sum over i of x[p][i] *
// w[l][i].
//
// Each lane of each pixel lane is a cascade of I DSP48E2 whose last one accumulates (W
// multiplexer). A set of steps begins with first_i and ends with last_i; its sums are in sums_o
// from sums_valid_o on and stay until the next set's.
// Latency: sums_valid_o comes I + 3 cycles after last_i. w_i is skewed by the giver: element i
// comes i cycles after x_i.
module tile_array #(
  parameter int unsigned Pif = 2,  // I
  parameter int unsigned Pof = 4,  // L
  parameter int unsigned Pixels = 4  // P
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,  // synchronous, active low
  input  logic                       valid_i,
  input  logic                       first_i,
  input  logic                       last_i,
  input  logic [   17*Pif*Pixels-1:0] x_i,  // element i of pixel p at p * Pif + i, signed
  input  logic [      16*Pif*Pof-1:0] w_i,  // element i of lane l at i * Pof + l, signed, skewed
  output logic                       sums_valid_o,
  output logic [   48*Pof*Pixels-1:0] sums_o  // lane l of pixel p at p * Pof + l
);
  logic enable, accumulate, capture;

  // The last element of the cascade is skewed by Pif - 1 cycles.
  pulse_line #(.Stages(Pif + 1)) u_enable (.clk_i, .rst_ni, .data_i(valid_i), .data_o(enable));
  pulse_line #(.Stages(Pif + 2)) u_capture (
      .clk_i, .rst_ni, .data_i(valid_i && last_i), .data_o(capture));
  delay_line #(.DataWidth(1), .Stages(Pif)) u_accumulate (
      .clk_i, .data_i(!first_i), .data_o(accumulate));

  always_ff @(posedge clk_i) sums_valid_o <= rst_ni && capture;

  logic [17*Pif*Pixels-1:0] x_skewed;
  for (genvar p = 0; p < Pixels; p++) begin : gen_skew
    for (genvar i = 0; i < Pif; i++) begin : gen_element
      delay_line #(.DataWidth(17), .Stages(i)) u_skew (
          .clk_i, .data_i(x_i[17*(p*Pif+i)+:17]), .data_o(x_skewed[17*(p*Pif+i)+:17]));
    end
  end

  for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
    for (genvar l = 0; l < Pof; l++) begin : gen_lane
      logic [48*(Pif+1)-1:0] cascade;
      logic [48*Pif-1:0] p_out;
      assign cascade[47:0] = '0;
      for (genvar i = 0; i < Pif; i++) begin : gen_mac
        logic [16:0] x;
        logic [15:0] w;
        assign x = x_skewed[17*(p*Pif+i)+:17];
        assign w = w_i[16*(i*Pof+l)+:16];
        dsp48e2_mac #(.Cascaded(i != 0)) u_mac (
            .clk_i, .a_i({{11{w[15]}}, w}), .b_i({x[16], x}),
            .accumulate_i(i == Pif - 1 && accumulate),
            .enable_i(i != Pif - 1 || enable),
            .pcin_i(cascade[48*i+:48]), .pcout_o(cascade[48*(i+1)+:48]),
            .p_o(p_out[48*i+:48]));
      end
      always_ff @(posedge clk_i) begin
        if (capture) sums_o[48*(p*Pof+l)+:48] <= p_out[48*(Pif-1)+:48];
      end
      logic unused_taps;
      assign unused_taps = ^{cascade[48*Pif+:48], p_out};
    end
  end
endmodule

// The array for 8-bit weights and 9-bit operands: one DSP48E2 multiplies x by the weights of lanes
// 2l and 2l + 1 at once.
//
// A = w[2l+1] * 2^18 + w[2l], so a cascade's result holds two sums, 18 bits apart. |x * w| < 2^15,
// so at most 4 products fit the lower field: cascades are min(Pif, 4) long, and sums are
// accumulated outside of them, in 32 bits.
// Latency: sums_valid_o comes min(Pif, 4) + 6 cycles after last_i. w_i is skewed by the giver:
// element i comes (i mod 4) cycles after x_i.
module tile_array8 #(
  parameter int unsigned Pif = 4,  // I
  parameter int unsigned Pof = 4,  // L, even
  parameter int unsigned Pixels = 4  // P
) (
  input  logic                      clk_i,
  input  logic                      rst_ni,  // synchronous, active low
  input  logic                      valid_i,
  input  logic                      first_i,
  input  logic                      last_i,
  input  logic [  9*Pif*Pixels-1:0] x_i,  // element i of pixel p at p * Pif + i, signed
  input  logic [     8*Pif*Pof-1:0] w_i,  // element i of lane l at i * Pof + l, signed, skewed
  output logic                      sums_valid_o,
  output logic [  48*Pof*Pixels-1:0] sums_o  // lane l of pixel p at p * Pof + l
);
  localparam int unsigned Length = Pif > 4 ? 4 : Pif;  // of a cascade
  localparam int unsigned Cascades = Pif / Length;

  // Results of the cascades come Length + 2 cycles after the operands of element 0, are split and
  // added in two more.
  logic enable, first, capture;
  pulse_line #(.Stages(Length + 4)) u_enable (.clk_i, .rst_ni, .data_i(valid_i), .data_o(enable));
  pulse_line #(.Stages(Length + 5)) u_capture (
      .clk_i, .rst_ni, .data_i(valid_i && last_i), .data_o(capture));
  delay_line #(.DataWidth(1), .Stages(Length + 4)) u_first (.clk_i, .data_i(first_i), .data_o(first));
  always_ff @(posedge clk_i) sums_valid_o <= rst_ni && capture;

  logic [9*Pif*Pixels-1:0] x_skewed;
  for (genvar k = 0; k < Pif * Pixels; k++) begin : gen_skew
    delay_line #(.DataWidth(9), .Stages(k % Pif % Length)) u_skew (
        .clk_i, .data_i(x_i[9*k+:9]), .data_o(x_skewed[9*k+:9]));
  end

  logic [27*Pif*Pof/2-1:0] pairs;
  for (genvar k = 0; k < Pif * Pof / 2; k++) begin : gen_weights
    assign pairs[27*k+:27] = {w_i[16*k+15], w_i[16*k+8+:8], 18'd0} + {{19{w_i[16*k+7]}}, w_i[16*k+:8]};
  end

  for (genvar p = 0; p < Pixels; p++) begin : gen_pixel
    for (genvar l = 0; l < Pof / 2; l++) begin : gen_pair
      logic [18*Cascades-1:0] low_q;
      logic [19*Cascades-1:0] high_q;
      for (genvar c = 0; c < Cascades; c++) begin : gen_cascade
        logic [48*(Length+1)-1:0] cascade;
        logic [48*Length-1:0] p_out;
        assign cascade[47:0] = '0;
        for (genvar i = 0; i < Length; i++) begin : gen_mac
          localparam int unsigned Element = c * Length + i;
          logic [8:0] x;
          assign x = x_skewed[9*(p*Pif+Element)+:9];
          dsp48e2_mac #(.Cascaded(i != 0)) u_mac (
              .clk_i, .a_i(pairs[27*(Element*Pof/2+l)+:27]), .b_i({{9{x[8]}}, x}), .accumulate_i(1'b0),
              .enable_i(1'b1), .pcin_i(cascade[48*i+:48]), .pcout_o(cascade[48*(i+1)+:48]),
              .p_o(p_out[48*i+:48]));
        end
        // The upper field is one too small where the lower one is negative.
        logic [47:0] result;
        assign result = p_out[48*(Length-1)+:48];
        always_ff @(posedge clk_i) begin
          low_q[18*c+:18] <= result[17:0];
          high_q[19*c+:19] <= result[36:18] + 19'(result[17]);
        end
        logic unused_bits;
        assign unused_bits = ^{cascade[48*Length+:48], p_out, result[47:37]};
      end

      logic signed [31:0] low, high, low_step_q, high_step_q, low_sum_q, high_sum_q;
      always_comb begin
        low = '0;
        high = '0;
        for (int unsigned c = 0; c < Cascades; c++) begin
          low = low + {{14{low_q[18*c+17]}}, low_q[18*c+:18]};
          high = high + {{13{high_q[19*c+18]}}, high_q[19*c+:19]};
        end
      end
      always_ff @(posedge clk_i) begin
        low_step_q <= low;
        high_step_q <= high;
        if (enable) begin
          low_sum_q <= first ? low_step_q : low_sum_q + low_step_q;
          high_sum_q <= first ? high_step_q : high_sum_q + high_step_q;
        end
        if (capture) begin
          sums_o[48*(p*Pof+2*l)+:48] <= {{16{low_sum_q[31]}}, low_sum_q};
          sums_o[48*(p*Pof+2*l+1)+:48] <= {{16{high_sum_q[31]}}, high_sum_q};
        end
      end
    end
  end
endmodule

// Requantise() of base/requantise.h for sums of 32 bits: clamp((((acc * multiplier) >> pre_shift) +
// bias + half) >> post_shift, min, max).
//
// Latency: 10 cycles (fusion_pkg::RequantLatency), one value per cycle. Exact for |acc * multiplier|
// and the sum below 2^62, which the network checker proves.
module fusion_requantiser (
  input  logic        clk_i,
  input  logic [31:0] acc_i,  // signed
  input  logic [31:0] multiplier_i,  // signed
  input  logic [ 5:0] pre_shift_i,
  input  logic [63:0] bias_i,  // signed
  input  logic [ 5:0] post_shift_i,
  input  logic [31:0] min_i,  // signed
  input  logic [31:0] max_i,  // signed
  output logic [31:0] result_o  // signed
);
  // Stages 1 to 4: the product. 5 to 9: shift, add, shift; each shift in two steps. 10: clamp.
  logic signed [31:0] s1_acc_q, s1_multiplier_q;
  logic signed [63:0] s2_product_q, s3_product_q, s4_product_q;
  logic signed [63:0] s5_scaled_q, s6_scaled_q, s6_addend_q, s7_sum_q, s8_sum_q, s9_sum_q;
  logic [5:0] s4_pre_shift, s7_post_shift;
  logic [2:0] s5_pre_shift_q, s8_post_shift_q;
  logic [5:0] s5_post_shift;
  logic signed [63:0] s5_bias;
  logic signed [31:0] s9_min, s9_max;

  delay_line #(.DataWidth(6), .Stages(4)) u_pre_shift (.clk_i, .data_i(pre_shift_i), .data_o(s4_pre_shift));
  delay_line #(.DataWidth(70), .Stages(5)) u_bias (
      .clk_i, .data_i({post_shift_i, bias_i}), .data_o({s5_post_shift, s5_bias}));
  delay_line #(.DataWidth(6), .Stages(2)) u_post_shift (.clk_i, .data_i(s5_post_shift), .data_o(s7_post_shift));
  delay_line #(.DataWidth(64), .Stages(9)) u_bounds (
      .clk_i, .data_i({min_i, max_i}), .data_o({s9_min, s9_max}));

  always_ff @(posedge clk_i) begin
    s1_acc_q <= acc_i;
    s1_multiplier_q <= multiplier_i;
    s2_product_q <= s1_acc_q * s1_multiplier_q;
    s3_product_q <= s2_product_q;
    s4_product_q <= s3_product_q;

    s5_scaled_q <= s4_product_q >>> {s4_pre_shift[5:3], 3'b0};
    s5_pre_shift_q <= s4_pre_shift[2:0];
    s6_scaled_q <= s5_scaled_q >>> s5_pre_shift_q;
    // half = 2^(post_shift - 1), 0 for post_shift 0: (1 << post_shift) >> 1
    s6_addend_q <= s5_bias + ((64'd1 << s5_post_shift) >> 1);
    s7_sum_q <= s6_scaled_q + s6_addend_q;
    s8_sum_q <= s7_sum_q >>> {s7_post_shift[5:3], 3'b0};
    s8_post_shift_q <= s7_post_shift[2:0];
    s9_sum_q <= s8_sum_q >>> s8_post_shift_q;

    if (s9_sum_q < 64'(s9_min)) result_o <= s9_min;
    else if (s9_sum_q > 64'(s9_max)) result_o <= s9_max;
    else result_o <= s9_sum_q[31:0];
  end
endmodule

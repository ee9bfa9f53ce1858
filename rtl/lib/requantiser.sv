// Requantise() of base/requantise.h: clamp((((acc * multiplier) >> pre_shift) + bias + half) >>
// post_shift, min, max).
//
// Latency: 9 cycles (tile_pkg::RequantLatency), one value per cycle, never stalls. Exact for |acc *
// multiplier| and the sum below 2^62, which the network checker proves.
module requantiser (
  input  logic        clk_i,
  input  logic [47:0] acc_i,  // signed
  input  logic [17:0] multiplier_i,  // signed
  input  logic [ 5:0] pre_shift_i,
  input  logic [47:0] bias_i,  // signed
  input  logic [ 5:0] post_shift_i,
  input  logic [31:0] min_i,  // signed
  input  logic [31:0] max_i,  // signed
  output logic [31:0] result_o  // signed
);
  // Stages 1 to 3: the product, in two halves of 27 x 18 bits each.
  logic signed [47:0] s1_acc_q;
  logic signed [17:0] s1_multiplier_q;
  logic signed [44:0] s2_low_q;
  logic signed [39:0] s2_high_q;
  logic signed [63:0] s3_product_q;
  // Stages 4 to 8: shift, add, shift; each shift in two steps. Stage 9: clamp.
  logic signed [63:0] s4_scaled_q, s5_scaled_q, s6_sum_q, s7_sum_q, s8_sum_q, s5_addend_q;
  logic [5:0] s3_pre_shift, s4_pre_shift_q, s4_post_shift, s6_post_shift, s7_post_shift_q;
  logic signed [47:0] s4_bias;
  logic signed [31:0] s8_min, s8_max;

  delay_line #(.DataWidth(6), .Stages(3)) u_pre_shift (
      .clk_i, .data_i(pre_shift_i), .data_o(s3_pre_shift));
  delay_line #(.DataWidth(54), .Stages(4)) u_bias (
      .clk_i, .data_i({post_shift_i, bias_i}), .data_o({s4_post_shift, s4_bias}));
  delay_line #(.DataWidth(6), .Stages(2)) u_post_shift (
      .clk_i, .data_i(s4_post_shift), .data_o(s6_post_shift));
  delay_line #(.DataWidth(64), .Stages(8)) u_bounds (
      .clk_i, .data_i({min_i, max_i}), .data_o({s8_min, s8_max}));

  logic signed [26:0] s1_low;
  logic signed [21:0] s1_high;
  assign s1_low = {1'b0, s1_acc_q[25:0]};
  assign s1_high = s1_acc_q[47:26];

  always_ff @(posedge clk_i) begin
    s1_acc_q <= acc_i;
    s1_multiplier_q <= multiplier_i;
    s2_low_q <= s1_low * s1_multiplier_q;
    s2_high_q <= s1_high * s1_multiplier_q;
    s3_product_q <= {{19{s2_low_q[44]}}, s2_low_q} + {s2_high_q[37:0], 26'b0};

    s4_scaled_q <= s3_product_q >>> {s3_pre_shift[5:3], 3'b0};
    s4_pre_shift_q <= s3_pre_shift;
    s5_scaled_q <= s4_scaled_q >>> s4_pre_shift_q[2:0];
    // half = 2^(post_shift - 1), 0 for post_shift 0: (1 << post_shift) >> 1
    s5_addend_q <= {{16{s4_bias[47]}}, s4_bias} + ((64'd1 << s4_post_shift) >> 1);
    s6_sum_q <= s5_scaled_q + s5_addend_q;
    s7_sum_q <= s6_sum_q >>> {s6_post_shift[5:3], 3'b0};
    s7_post_shift_q <= s6_post_shift;
    s8_sum_q <= s7_sum_q >>> s7_post_shift_q[2:0];

    if (s8_sum_q < 64'(s8_min)) result_o <= s8_min;
    else if (s8_sum_q > 64'(s8_max)) result_o <= s8_max;
    else result_o <= s8_sum_q[31:0];
  end

  logic unused_high;
  assign unused_high = ^{s2_high_q[39:38], s4_pre_shift_q[5:3], s7_post_shift_q[5:3]};
endmodule

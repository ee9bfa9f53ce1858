// GDN's quotient: clamp(floor((2 * product + norm) / (2 * norm)), min, max) with product = x *
// multiplier.
//
// Latency: 19 cycles (tile_pkg::DividerLatency), one quotient per cycle, never stalls. Requires
// |product| < 2^47, 1 <= norm <= 2^24, and bounds within [-2^15, 2^15) or within [0, 2^16).
//
// floor((2p + n) / 2n) = floor((p + floor(n / 2)) / n). Where results may be negative, adding
// 2^15 * n to the numerator makes every quotient that matters a number of 16 bits; what is left of
// [0, 2^16) saturates, so 16 steps of restoring division suffice.
module gdn_divider (
  input  logic        clk_i,
  input  logic [47:0] product_i,  // signed
  input  logic [24:0] norm_i,
  input  logic [16:0] min_i,  // signed
  input  logic [16:0] max_i,  // signed
  output logic [15:0] result_o  // signed if min_i is negative
);
  localparam int unsigned Steps = 16;

  logic signed [49:0] s1_numerator_q;
  logic [24:0] s1_norm_q;
  logic signed [16:0] out_min, out_max;

  delay_line #(.DataWidth(34), .Stages(Steps + 2)) u_bounds (
      .clk_i, .data_i({min_i, max_i}), .data_o({out_min, out_max}));

  always_ff @(posedge clk_i) begin
    s1_numerator_q <= $signed({{2{product_i[47]}}, product_i}) + $signed({26'b0, norm_i[24:1]})
                      + $signed({10'b0, min_i[16] ? norm_i : 25'b0, 15'b0});
    s1_norm_q <= norm_i;
  end

  // Entry k holds the state before step k: rest < norm, then what is left of the numerator with the
  // quotient below it.
  logic [25*(Steps+1)-1:0] rest_q, norm_q;
  logic [16*(Steps+1)-1:0] low_q;
  logic [2*(Steps+1)-1:0] saturate_q;  // bit 0: too small, bit 1: too large

  always_ff @(posedge clk_i) begin
    rest_q[0+:25] <= s1_numerator_q[40:16];
    norm_q[0+:25] <= s1_norm_q;
    low_q[0+:16] <= s1_numerator_q[15:0];
    saturate_q[0] <= s1_numerator_q < 0;
    saturate_q[1] <= s1_numerator_q >= 0 && s1_numerator_q[48:16] >= {8'b0, s1_norm_q};
  end

  for (genvar k = 0; k < Steps; k++) begin : gen_step
    logic [25:0] shifted, difference;
    assign shifted = {rest_q[25*k+:25], low_q[16*k+15]};
    assign difference = shifted - {1'b0, norm_q[25*k+:25]};
    always_ff @(posedge clk_i) begin
      rest_q[25*(k+1)+:25] <= difference[25] ? shifted[24:0] : difference[24:0];
      low_q[16*(k+1)+:16] <= {low_q[16*k+:15], !difference[25]};
      norm_q[25*(k+1)+:25] <= norm_q[25*k+:25];
      saturate_q[2*(k+1)+:2] <= saturate_q[2*k+:2];
    end
  end

  logic signed [16:0] quotient;
  assign quotient = {1'b0, low_q[16*Steps+:16]} - {1'b0, out_min[16], 15'b0};

  always_ff @(posedge clk_i) begin
    if (saturate_q[2*Steps]) result_o <= out_min[15:0];
    else if (saturate_q[2*Steps+1]) result_o <= out_max[15:0];
    else if (quotient < out_min) result_o <= out_min[15:0];
    else if (quotient > out_max) result_o <= out_max[15:0];
    else result_o <= quotient[15:0];
  end

  logic unused_last;
  assign unused_last = ^{s1_numerator_q[49], rest_q[25*Steps+:25], norm_q[25*Steps+:25]};
endmodule

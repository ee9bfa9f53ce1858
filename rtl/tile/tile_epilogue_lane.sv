// Finishes one value: a convolution's sum, or GDN's or IGDN's quotient or product of x and a norm.
//
// Latency: tile_pkg::LaneLatency cycles for every kind, one value per cycle, never stalls.
module tile_epilogue_lane (
  input  logic                 clk_i,
  input  logic [          1:0] kind_i,
  input  logic [         47:0] sum_i,  // signed
  input  logic [         15:0] x_i,  // signed
  input  logic [         71:0] first_i,  // record of the sum's requantiser: {pre_shift, multiplier, bias}
  input  logic [         71:0] second_i,  // record of the result's
  input  tile_pkg::constants_t constants_i,
  output logic [         15:0] result_o
);
  localparam int unsigned Norm = tile_pkg::RequantLatency;
  localparam int unsigned Product = tile_pkg::ProductLatency;
  localparam int unsigned Divider = tile_pkg::DividerLatency;

  // The sum becomes a norm, or the result.
  logic [31:0] n_norm;
  requantiser u_norm (
      .clk_i, .acc_i(sum_i), .multiplier_i(first_i[65:48]), .pre_shift_i(first_i[71:66]), .bias_i(first_i[47:0]),
      .post_shift_i(constants_i.post_shift0), .min_i(constants_i.min0), .max_i(constants_i.max0),
      .result_o(n_norm));

  logic [1:0] n_kind;
  logic [15:0] n_x;
  logic [71:0] n_second;
  logic [69:0] n_constants, p_constants;  // post_shift, max, min of the result
  delay_line #(.DataWidth(160), .Stages(Norm)) u_norm_line (
      .clk_i, .data_i({kind_i, x_i, second_i, constants_i.post_shift1, constants_i.max1, constants_i.min1}),
      .data_o({n_kind, n_x, n_second, n_constants}));

  // x * multiplier (of 32 bits, see tile_parameter_buffer) or x * norm, in two halves; |product| <
  // 2^47.
  logic [31:0] n_multiplier;
  logic signed [31:0] n1_factor_q;
  logic signed [15:0] n1_x_q;
  logic signed [26:0] n1_low;
  logic signed [5:0] n1_high;
  logic signed [42:0] n2_low_q;
  logic signed [21:0] n2_high_q;
  logic signed [47:0] product_q;
  assign n_multiplier = {n_second[13:0] ^ {14{n_second[65]}}, n_second[65:48]};
  assign n1_low = {1'b0, n1_factor_q[25:0]};
  assign n1_high = n1_factor_q[31:26];
  always_ff @(posedge clk_i) begin
    n1_factor_q <= n_kind == tile_pkg::KindGdn ? n_multiplier : {7'b0, n_norm[24:0]};
    n1_x_q <= n_x;
    n2_low_q <= n1_low * n1_x_q;
    n2_high_q <= n1_high * n1_x_q;
    product_q <= {{5{n2_low_q[42]}}, n2_low_q} + {n2_high_q, 26'b0};
  end

  logic [1:0] p_kind;
  logic [24:0] p_norm;
  logic [15:0] p_conv;
  logic [71:0] p_second;
  delay_line #(.DataWidth(185), .Stages(Product)) u_product_line (
      .clk_i, .data_i({n_kind, n_norm[24:0], n_norm[15:0], n_second, n_constants}),
      .data_o({p_kind, p_norm, p_conv, p_second, p_constants}));

  logic [15:0] quotient, conv, scaled;
  logic [31:0] p_scaled;
  logic [1:0] kind;
  gdn_divider u_quotient (
      .clk_i, .product_i(product_q), .norm_i(p_norm), .min_i(p_constants[16:0]), .max_i(p_constants[48:32]),
      .result_o(quotient));
  requantiser u_scale (
      .clk_i, .acc_i(product_q), .multiplier_i(p_second[65:48]), .pre_shift_i(p_second[71:66]),
      .bias_i(p_second[47:0]), .post_shift_i(p_constants[69:64]), .min_i(p_constants[31:0]),
      .max_i(p_constants[63:32]), .result_o(p_scaled));
  delay_line #(.DataWidth(16), .Stages(Divider - Norm)) u_scaled_line (
      .clk_i, .data_i(p_scaled[15:0]), .data_o(scaled));
  delay_line #(.DataWidth(18), .Stages(Divider)) u_conv_line (
      .clk_i, .data_i({p_kind, p_conv}), .data_o({kind, conv}));

  always_ff @(posedge clk_i) begin
    case (kind)
      tile_pkg::KindGdn: result_o <= quotient;
      tile_pkg::KindIgdn: result_o <= scaled;
      default: result_o <= conv;
    endcase
  end

  logic unused_bits;
  assign unused_bits = ^{n_norm[31:25], p_scaled[31:16]};
endmodule

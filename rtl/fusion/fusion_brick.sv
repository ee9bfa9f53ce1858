// A bit brick: the product of two digits of 2 bits, each signed or not.
//
// Latency: 1 cycle.
module fusion_brick (
  input  logic              clk_i,
  input  logic        [1:0] x_i,
  input  logic        [1:0] w_i,
  input  logic              x_signed_i,
  input  logic              w_signed_i,
  output logic signed [4:0] product_o  // -6 to 9
);
  logic signed [2:0] x, w;
  assign x = {x_signed_i & x_i[1], x_i};
  assign w = {w_signed_i & w_i[1], w_i};
  always_ff @(posedge clk_i) product_o <= 5'(x) * 5'(w);
endmodule

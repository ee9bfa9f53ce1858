// A fusion unit: 16 bit bricks, fused to 16 / (u * v) products of u by v digits, and their sum.
//
// Contract: u and v are 1, 2 or 4 (log2 given); product p is of x digits [p * u, (p + 1) * u) and w
// digits [p * v, (p + 1) * v). Latency: 3 cycles (fusion_pkg::UnitLatency), one sum per cycle.
module fusion_unit (
  input  logic        clk_i,
  input  logic [31:0] x_i,
  input  logic [31:0] w_i,
  input  logic [ 1:0] u_log2_i,
  input  logic [ 1:0] v_log2_i,
  input  logic        x_signed_i,
  input  logic        w_signed_i,
  output logic signed [fusion_pkg::UnitSumBits-1:0] sum_o
);
  localparam int unsigned Bricks = 16;
  localparam int unsigned Shapes = 9;  // u_log2 * 3 + v_log2

  logic [3:0] shape, shape_q;
  assign shape = 4'(u_log2_i * 4'd3) + {2'b0, v_log2_i};
  always_ff @(posedge clk_i) shape_q <= shape;

  logic signed [16:0] shifted[Bricks];  // at most 9 << 12
  for (genvar b = 0; b < Bricks; b++) begin : gen_brick
    logic [1:0] x[Shapes], w[Shapes];
    logic [Shapes-1:0] x_top, w_top;
    logic signed [4:0] product;
    logic signed [16:0] placed[Shapes];
    for (genvar s = 0; s < Shapes; s++) begin : gen_shape
      localparam int unsigned U = 1 << (s / 3);
      localparam int unsigned V = 1 << (s % 3);
      localparam int unsigned Product = b / (U * V);
      localparam int unsigned J = b % (U * V) / U;
      localparam int unsigned I = b % U;
      assign x[s] = x_i[2*(Product*U+I)+:2];
      assign w[s] = w_i[2*(Product*V+J)+:2];
      assign x_top[s] = I == U - 1;
      assign w_top[s] = J == V - 1;
      assign placed[s] = 17'(product) <<< (2 * (I + J));
    end
    fusion_brick u_brick (
        .clk_i, .x_i(x[shape]), .w_i(w[shape]), .x_signed_i(x_signed_i && x_top[shape]),
        .w_signed_i(w_signed_i && w_top[shape]), .product_o(product));
    assign shifted[b] = placed[shape_q];
  end

  logic signed [fusion_pkg::UnitSumBits-1:0] part_q[4];
  always_ff @(posedge clk_i) begin
    for (int unsigned k = 0; k < 4; k++) begin
      part_q[k] <= 18'(shifted[4*k]) + 18'(shifted[4*k+1]) + 18'(shifted[4*k+2]) + 18'(shifted[4*k+3]);
    end
    sum_o <= part_q[0] + part_q[1] + part_q[2] + part_q[3];
  end
endmodule

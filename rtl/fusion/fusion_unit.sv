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

  logic [17*Bricks-1:0] shifted;  // each at most 9 << 12
  for (genvar b = 0; b < Bricks; b++) begin : gen_brick
    logic [2*Shapes-1:0] x, w;
    logic [Shapes-1:0] x_top, w_top;
    logic signed [4:0] product;
    logic [17*Shapes-1:0] placed;
    for (genvar s = 0; s < Shapes; s++) begin : gen_shape
      localparam int unsigned U = 1 << (s / 3);
      localparam int unsigned V = 1 << (s % 3);
      localparam int unsigned Product = b / (U * V);
      localparam int unsigned J = b % (U * V) / U;
      localparam int unsigned I = b % U;
      assign x[2*s+:2] = x_i[2*(Product*U+I)+:2];
      assign w[2*s+:2] = w_i[2*(Product*V+J)+:2];
      assign x_top[s] = I == U - 1;
      assign w_top[s] = J == V - 1;
      assign placed[17*s+:17] = 17'(product) <<< (2 * (I + J));
    end
    fusion_brick u_brick (
        .clk_i, .x_i(x[2*shape+:2]), .w_i(w[2*shape+:2]), .x_signed_i(x_signed_i && x_top[shape]),
        .w_signed_i(w_signed_i && w_top[shape]), .product_o(product));
    assign shifted[17*b+:17] = placed[17*shape_q+:17];
  end

  // Sums of four bricks, then of all.
  localparam int unsigned SumBits = fusion_pkg::UnitSumBits;
  logic [4*SumBits-1:0] parts;
  for (genvar k = 0; k < 4; k++) begin : gen_part
    logic signed [16:0] a, b, c, d;
    logic signed [SumBits-1:0] part_q;
    assign a = shifted[17*(4*k)+:17];
    assign b = shifted[17*(4*k+1)+:17];
    assign c = shifted[17*(4*k+2)+:17];
    assign d = shifted[17*(4*k+3)+:17];
    always_ff @(posedge clk_i) part_q <= SumBits'(a) + SumBits'(b) + SumBits'(c) + SumBits'(d);
    assign parts[SumBits*k+:SumBits] = part_q;
  end
  always_ff @(posedge clk_i) begin
    sum_o <= parts[0+:SumBits] + parts[SumBits+:SumBits] + parts[2*SumBits+:SumBits] + parts[3*SumBits+:SumBits];
  end
endmodule

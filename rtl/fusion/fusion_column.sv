// A column of fusion units and the tree that adds them up by groups of rows.
//
// Contract: groups_log2_i stands still while sums are under way; sum g is that of rows
// [g * Rows / G, (g + 1) * Rows / G), G = 2^groups_log2_i. Latency: UnitLatency + log2(Rows) + 1.
module fusion_column #(
  parameter int unsigned Rows = 4,  // a power of two
  localparam int unsigned SumBits = fusion_pkg::GroupSumBits
) (
  input  logic                    clk_i,
  input  logic [   32*Rows-1:0]   x_i,
  input  logic [   32*Rows-1:0]   w_i,
  input  logic [           1:0]   u_log2_i,
  input  logic [           1:0]   v_log2_i,
  input  logic                    x_signed_i,
  input  logic                    w_signed_i,
  input  logic [           2:0]   groups_log2_i,
  output logic [SumBits*Rows-1:0] sums_o
);
  localparam int unsigned Levels = $clog2(Rows);

  // Nodes of level k, from bit 0 on, as they leave the tree; and delayed until the last level leaves.
  localparam int unsigned LevelBits = SumBits * Rows;
  logic [LevelBits*(Levels+1)-1:0] level, aligned;
  for (genvar r = 0; r < Rows; r++) begin : gen_unit
    logic signed [fusion_pkg::UnitSumBits-1:0] sum;
    fusion_unit u_unit (
        .clk_i, .x_i(x_i[32*r+:32]), .w_i(w_i[32*r+:32]), .u_log2_i, .v_log2_i, .x_signed_i, .w_signed_i,
        .sum_o(sum));
    assign level[SumBits*r+:SumBits] = SumBits'(sum);
  end
  for (genvar k = 0; k < Levels; k++) begin : gen_level
    logic [SumBits*(Rows>>(k+1))-1:0] sums_q;
    for (genvar n = 0; n < (Rows >> (k + 1)); n++) begin : gen_node
      always_ff @(posedge clk_i) begin
        sums_q[SumBits*n+:SumBits] <= level[LevelBits*k+SumBits*2*n+:SumBits]
                                       + level[LevelBits*k+SumBits*(2*n+1)+:SumBits];
      end
    end
    assign level[LevelBits*(k+1)+:LevelBits] = LevelBits'(sums_q);
  end
  for (genvar k = 0; k <= Levels; k++) begin : gen_align
    logic [SumBits*(Rows>>k)-1:0] late;
    delay_line #(.DataWidth(SumBits * (Rows >> k)), .Stages(Levels - k)) u_delay (
        .clk_i, .data_i(level[LevelBits*k+:SumBits*(Rows>>k)]), .data_o(late));
    assign aligned[LevelBits*k+:LevelBits] = LevelBits'(late);
  end
  logic unused_level;
  assign unused_level = ^level;
  logic [2:0] level_index;
  assign level_index = 3'(Levels) - groups_log2_i;
  always_ff @(posedge clk_i) begin
    sums_o <= '0;
    for (int unsigned k = 0; k <= Levels; k++) if (level_index == 3'(k)) sums_o <= aligned[LevelBits*k+:LevelBits];
  end
endmodule

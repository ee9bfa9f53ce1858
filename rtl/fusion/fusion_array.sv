// The array: columns of fusion units, folding of columns, accumulators and their shadows.
//
// Contract: a step's operands and flags come together; configuration that is not a step's stands
// still while steps are under way. After a step with last_i, the sums of its set are in shadow_o.
// Latency: from a step to shadow_o UnitLatency + log2(Rows) + 4.
module fusion_array #(
  parameter int unsigned Rows = 4,
  parameter int unsigned Columns = 4,
  parameter int unsigned ColumnSets = 1
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,  // synchronous, active low
  input  logic                        step_i,
  input  logic                        first_i,  // of its set
  input  logic                        last_i,
  input  logic [32*Rows*ColumnSets-1:0] x_i,  // [set][row]
  input  logic [32*Rows*Columns-1:0]  w_i,  // [row][column]
  input  logic [                 1:0] u_log2_i,
  input  logic [                 1:0] v_log2_i,
  input  logic                        x_signed_i,
  input  logic                        w_signed_i,
  input  logic [                 3:0] shift_i,  // digits
  input  logic [                 2:0] groups_log2_i,
  input  logic [                 1:0] fold_log2_i,
  output logic [32*Rows*Columns-1:0]  shadow_o  // [group][column]
);
  localparam int unsigned SumBits = fusion_pkg::GroupSumBits;
  localparam int unsigned ColumnLatency = fusion_pkg::UnitLatency + $clog2(Rows) + 1;

  logic [SumBits*Rows*Columns-1:0] sums;  // [column][group]
  for (genvar c = 0; c < Columns; c++) begin : gen_column
    localparam int unsigned Set = c * ColumnSets / Columns;
    logic [32*Rows-1:0] w;
    for (genvar r = 0; r < Rows; r++) begin : gen_row
      assign w[32*r+:32] = w_i[32*(r*Columns+c)+:32];
    end
    fusion_column #(.Rows(Rows)) u_column (
        .clk_i, .x_i(x_i[32*Rows*Set+:32*Rows]), .w_i(w), .u_log2_i, .v_log2_i, .x_signed_i, .w_signed_i,
        .groups_log2_i, .sums_o(sums[SumBits*Rows*c+:SumBits*Rows]));
  end

  // The step's flags, at the sums and one and two cycles behind.
  logic add, first, last;
  logic [3:0] shift;
  pulse_line #(.DataWidth(1), .Stages(ColumnLatency + 2)) u_add (.clk_i, .rst_ni, .data_i(step_i), .data_o(add));
  delay_line #(.DataWidth(2), .Stages(ColumnLatency + 2)) u_flags (
      .clk_i, .data_i({first_i, last_i}), .data_o({first, last}));
  delay_line #(.DataWidth(4), .Stages(ColumnLatency + 1)) u_shift (.clk_i, .data_i(shift_i), .data_o(shift));

  for (genvar g = 0; g < Rows; g++) begin : gen_group
    for (genvar c = 0; c < Columns; c++) begin : gen_lane
      localparam bit IsOfHalf = ColumnSets >= 2 && c < Columns / 2;
      localparam bit IsOfQuarter = ColumnSets >= 4 && c < Columns / 4;
      localparam int unsigned Half = IsOfHalf ? c + Columns / 2 : c;
      localparam int unsigned Quarter = IsOfQuarter ? c + Columns / 4 : c;
      localparam int unsigned Quarters = IsOfQuarter ? c + 3 * Columns / 4 : c;
      logic signed [SumBits+1:0] folded_q;
      logic signed [31:0] shifted_q, total, acc_q, shadow_q;
      logic signed [SumBits-1:0] own, half, quarter, quarters;
      assign own = sums[SumBits*(Rows*c+g)+:SumBits];
      assign half = sums[SumBits*(Rows*Half+g)+:SumBits];
      assign quarter = sums[SumBits*(Rows*Quarter+g)+:SumBits];
      assign quarters = sums[SumBits*(Rows*Quarters+g)+:SumBits];
      assign total = (first ? '0 : acc_q) + shifted_q;
      always_ff @(posedge clk_i) begin
        if (fold_log2_i == 2'd2 && IsOfQuarter) begin
          folded_q <= 26'(own) + 26'(half) + 26'(quarter) + 26'(quarters);
        end else if (fold_log2_i == 2'd1 && IsOfHalf) begin
          folded_q <= 26'(own) + 26'(half);
        end else begin
          folded_q <= 26'(own);
        end
        shifted_q <= 32'(folded_q) <<< {shift, 1'b0};
        if (add) acc_q <= total;
        if (add && last) shadow_q <= total;
      end
      assign shadow_o[32*(g*Columns+c)+:32] = shadow_q;
    end
  end
endmodule

// Derives what the steps of a COMPUTE need (tile_pkg::plan_t) while the instruction before it runs.
//
// Latency: plan_valid_o comes tile_pkg::PrepareLatency cycles after the instruction was taken; the
// next one is taken at the earliest in the cycle after the plan was taken.
module tile_prepare #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned EpilogueLanes = 2
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,  // synchronous, active low
  input  logic                            valid_i,
  output logic                            ready_o,
  input  logic [tile_pkg::ComputeBits-1:0] instruction_i,
  output logic                            plan_valid_o,
  input  logic                            plan_ready_i,
  output tile_pkg::plan_t                 plan_o
);
  localparam int unsigned WordsPerArrayWord = Pif > EpilogueLanes ? Pif / EpilogueLanes : 1;
  localparam int unsigned ArrayWordsPerWord = Pif > EpilogueLanes ? 1 : EpilogueLanes / Pif;
  localparam int unsigned DownShift = $clog2(WordsPerArrayWord);
  localparam int unsigned UpShift = $clog2(ArrayWordsPerWord);

  logic [3:0] count_q;  // 0 idle, 1..6 division, 7 banks, 8 products, 9 plan ready
  tile_pkg::compute_t in, offered;
  assign offered = instruction_i;
  assign ready_o = count_q == 4'd0;
  assign plan_valid_o = count_q == 4'd9;
  assign plan_o.instruction = in;

  // Restoring division of the first tap by the strides, one bit a cycle.
  logic [5:0] row_quotient_q, column_quotient_q;
  logic [3:0] row_rest_q, column_rest_q;
  logic [4:0] row_shifted, column_shifted;
  assign row_shifted = {row_rest_q, row_quotient_q[5]};
  assign column_shifted = {column_rest_q, column_quotient_q[5]};

  // Bank and group of banks of every quotient.
  localparam int unsigned RowGroupWidth = $clog2(63 / Poy + 1);
  localparam int unsigned ColumnGroupWidth = $clog2(63 / Pox + 1);
  logic [8*64-1:0] row_banks, column_banks, row_groups, column_groups;
  logic [7:0] row_bank, column_bank, row_group, column_group;
  for (genvar q = 0; q < 64; q++) begin : gen_quotient
    assign row_banks[8*q+:8] = 8'(q % Poy);
    assign row_groups[8*q+:8] = 8'(q / Poy);
    assign column_banks[8*q+:8] = 8'(q % Pox);
    assign column_groups[8*q+:8] = 8'(q / Pox);
  end
  assign row_bank = row_banks[8*row_quotient_q+:8];
  assign row_group = row_groups[8*row_quotient_q+:8];
  assign column_bank = column_banks[8*column_quotient_q+:8];
  assign column_group = column_groups[8*column_quotient_q+:8];

  // Pitches times Poy and Pox, as sums.
  logic [15:0] target_row_step, target_column_step;
  always_comb begin
    target_row_step = '0;
    target_column_step = '0;
    for (int unsigned b = 0; b < 6; b++) begin
      if (Poy[b]) target_row_step = target_row_step + (in.target_row_pitch << b);
      if (Pox[b]) target_column_step = target_column_step + ({4'b0, in.target_pitch} << b);
    end
  end

  // Rows (columns) of the tile, counted within a bank, before the first tap's.
  logic [9:0] row_index_q, column_index_q;
  logic [5:0] row_bank_q, column_bank_q;
  logic [19:0] row_start_q, column_start_q, row_step_q, column_step_q;
  logic [15:0] target_row_step_q, target_column_step_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) count_q <= 4'd0;
    else if (count_q == 4'd0) count_q <= valid_i ? 4'd1 : 4'd0;
    else if (count_q != 4'd9) count_q <= count_q + 4'd1;
    else if (plan_ready_i) count_q <= 4'd0;
  end

  always_ff @(posedge clk_i) begin
    if (ready_o) begin
      in <= offered;
      row_rest_q <= '0;
      column_rest_q <= '0;
      row_quotient_q <= {2'b0, offered.tap_row};
      column_quotient_q <= offered.tap_column;
    end else if (count_q <= 4'd6) begin
      row_quotient_q <= {row_quotient_q[4:0], row_shifted >= {1'b0, in.stride_y}};
      row_rest_q <= row_shifted >= {1'b0, in.stride_y} ? row_shifted[3:0] - in.stride_y : row_shifted[3:0];
      column_quotient_q <= {column_quotient_q[4:0], column_shifted >= {1'b0, in.stride_x}};
      column_rest_q <= column_shifted >= {1'b0, in.stride_x} ? column_shifted[3:0] - in.stride_x
                                                             : column_shifted[3:0];
    end
    row_bank_q <= row_bank[5:0];
    column_bank_q <= column_bank[5:0];
    row_index_q <= 10'(row_group[RowGroupWidth-1:0]) * {6'b0, in.stride_y} + {6'b0, row_rest_q};
    column_index_q <= 10'(column_group[ColumnGroupWidth-1:0]) * {6'b0, in.stride_x} + {6'b0, column_rest_q};

    if (in.source) begin
      row_start_q <= '0;
      row_step_q <= '0;
      column_start_q <= ({4'b0, in.source_base} << UpShift) >> DownShift;
      column_step_q <= ({4'b0, in.source_pitch} << UpShift) >> DownShift;
    end else begin
      row_start_q <= {4'b0, in.source_base} + {10'b0, row_index_q} * {4'b0, in.source_pitch};
      row_step_q <= {16'b0, in.stride_y} * {4'b0, in.source_pitch};
      column_start_q <= {10'b0, column_index_q} * {10'b0, in.pixel_words};
      column_step_q <= {16'b0, in.stride_x} * {10'b0, in.pixel_words};
    end
    target_row_step_q <= target_row_step;
    target_column_step_q <= target_column_step;
  end

  assign plan_o.target_row_step = target_row_step_q;
  assign plan_o.target_column_step = target_column_step_q;
  assign plan_o.row_start = row_start_q;
  assign plan_o.column_start = column_start_q;
  assign plan_o.row_step = row_step_q;
  assign plan_o.column_step = column_step_q;
  assign plan_o.row_bank = row_bank_q;
  assign plan_o.column_bank = column_bank_q;
  assign plan_o.row_phase = row_rest_q;
  assign plan_o.column_phase = column_rest_q;

  logic unused_bits;
  assign unused_bits = ^{row_bank, column_bank, row_group, column_group};
endmodule

// Issues the steps of COMPUTE instructions: one step a cycle, with the addresses of its operands.
//
// Contract: the first step of an instruction may come in the cycle after the last step of the one
// before. Last steps of sets are at least DrainCycles apart, because the epilogue takes that long
// for a set. An instruction that reads the middle buffer starts when everything earlier that goes
// there is written. Outputs of a step are valid with step_valid_o; nothing stalls behind this
// module.
module tile_sequencer #(
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned ArrayLatency = 5,  // from a step's operands to the set's sums
  parameter int unsigned DrainCycles = 8  // Pof * Poy * Pox / EpilogueLanes
) (
  input  logic            clk_i,
  input  logic            rst_ni,  // synchronous, active low
  input  logic            plan_valid_i,
  output logic            plan_ready_o,
  input  tile_pkg::plan_t plan_i,
  input  logic [6:0]      available_i,  // token counters above 0
  output logic [6:0]      take_o,
  output logic            context_valid_o,  // an instruction starts
  output tile_pkg::context_t context_o,
  output logic            step_valid_o,
  output logic            step_first_o,
  output logic            step_last_o,
  output logic [2:0]      step_end_o,  // with the last step: of the lane groups, of the row of groups, of the instruction
  output logic            step_middle_o,  // x comes from the middle buffer
  output logic            step_absolute_o,
  output logic [19:0]     step_row_o,
  output logic [19:0]     step_column_o,
  output logic [19:0]     step_row_step_o,
  output logic [19:0]     step_column_step_o,
  output logic [5:0]      step_row_bank_o,
  output logic [5:0]      step_column_bank_o,
  output logic [15:0]     step_weight_o,
  output logic            idle_o  // nothing runs, everything is written
);
  // Cycles from a set's last step to the first cycle in which a step may read what the set wrote.
  localparam int unsigned WrittenCycles =
      tile_pkg::OperandLatency + ArrayLatency + DrainCycles + tile_pkg::EpilogueLatency;
  localparam int unsigned TimerWidth = $clog2(WrittenCycles + 1);
  localparam int unsigned SpaceWidth = $clog2(DrainCycles + 1);

  tile_pkg::plan_t plan_q;
  tile_pkg::compute_t in, next_in;
  assign in = plan_q.instruction;
  assign next_in = plan_i.instruction;

  logic busy_q;
  logic [SpaceWidth-1:0] space_q;
  logic [TimerWidth-1:0] written_q, middle_written_q;  // cycles until results are written: all, the middle buffer's
  logic [9:0] chunk_left_q, row_group_left_q, column_group_left_q;
  logic [5:0] tap_x_left_q;
  logic [3:0] tap_y_left_q;
  logic [7:0] lane_group_left_q;
  logic first_q;
  logic [19:0] row_q, row_set_q, column_q, column_tap_q, column_set_q;
  logic [3:0] row_phase_q, column_phase_q;
  logic [5:0] row_bank_q, column_bank_q;
  logic [15:0] weight_q;

  logic last_chunk, last_tap_x, last_tap_y, last_step, issue, finish, start;
  logic end_lanes, end_columns, end_all;
  assign last_chunk = chunk_left_q == '0;
  assign last_tap_x = tap_x_left_q == '0;
  assign last_tap_y = tap_y_left_q == '0;
  assign last_step = last_chunk && last_tap_x && last_tap_y;
  assign end_lanes = lane_group_left_q == '0;
  assign end_columns = end_lanes && column_group_left_q == '0;
  assign end_all = end_columns && row_group_left_q == '0;
  assign issue = busy_q && !(last_step && space_q != '0);
  assign finish = issue && last_step && end_all;
  assign start = plan_valid_i && (next_in.wait_mask & ~available_i) == '0 && (!busy_q || finish)
                 && (!next_in.source || ((!busy_q || in.target) && middle_written_q == '0));
  assign plan_ready_o = start;
  assign take_o = start ? next_in.wait_mask : '0;
  assign idle_o = !busy_q && written_q == '0;

  // The next tap's row and column: next phase of the stride, else next bank, else next word of the
  // bank.
  logic [19:0] row_next, column_next;
  logic row_phase_wraps, row_bank_wraps, column_phase_wraps, column_bank_wraps;
  assign row_phase_wraps = row_phase_q + 4'd1 == in.stride_y;
  assign row_bank_wraps = row_bank_q + 6'd1 == Poy[5:0];
  assign column_phase_wraps = column_phase_q + 4'd1 == in.stride_x;
  assign column_bank_wraps = column_bank_q + 6'd1 == Pox[5:0];
  assign row_next = row_q + {4'b0, in.source_pitch}
                    - (row_phase_wraps && !row_bank_wraps ? plan_q.row_step : 20'd0);
  assign column_next = column_tap_q + {10'b0, in.pixel_words}
                       - (column_phase_wraps && !column_bank_wraps ? plan_q.column_step : 20'd0);

  // The group of pixels after this one. In the middle buffer groups follow each other without
  // regard to rows.
  logic [19:0] row_group_next, column_group_next;
  assign row_group_next = end_columns ? row_set_q + plan_q.row_step : row_set_q;
  assign column_group_next = end_columns && !in.source ? plan_q.column_start
                                                       : column_set_q + plan_q.column_step;

  always_ff @(posedge clk_i) begin
    if (start) begin
      plan_q <= plan_i;
      row_group_left_q <= next_in.row_groups - 1'b1;
      column_group_left_q <= next_in.column_groups - 1'b1;
      lane_group_left_q <= next_in.lane_groups - 1'b1;
      tap_y_left_q <= next_in.taps_y - 1'b1;
      tap_x_left_q <= next_in.taps_x - 1'b1;
      chunk_left_q <= next_in.chunks - 1'b1;
      first_q <= 1'b1;
      row_q <= plan_i.row_start;
      row_set_q <= plan_i.row_start;
      column_q <= plan_i.column_start;
      column_tap_q <= plan_i.column_start;
      column_set_q <= plan_i.column_start;
      row_phase_q <= plan_i.row_phase;
      column_phase_q <= plan_i.column_phase;
      row_bank_q <= plan_i.row_bank;
      column_bank_q <= plan_i.column_bank;
      weight_q <= next_in.weight_base;
    end else if (issue) begin
      first_q <= last_step;
      weight_q <= last_step && end_lanes ? in.weight_base : weight_q + 1'b1;
      chunk_left_q <= last_chunk ? in.chunks - 1'b1 : chunk_left_q - 1'b1;
      if (!last_chunk) begin
        column_q <= column_q + 1'b1;
      end else if (!last_tap_x) begin
        tap_x_left_q <= tap_x_left_q - 1'b1;
        column_q <= column_next;
        column_tap_q <= column_next;
        column_phase_q <= column_phase_wraps ? 4'd0 : column_phase_q + 1'b1;
        if (column_phase_wraps) column_bank_q <= column_bank_wraps ? 6'd0 : column_bank_q + 1'b1;
      end else begin
        tap_x_left_q <= in.taps_x - 1'b1;
        column_q <= last_tap_y && end_lanes ? column_group_next : column_set_q;
        column_tap_q <= last_tap_y && end_lanes ? column_group_next : column_set_q;
        column_phase_q <= plan_q.column_phase;
        column_bank_q <= plan_q.column_bank;
        if (!last_tap_y) begin
          tap_y_left_q <= tap_y_left_q - 1'b1;
          row_q <= row_next;
          row_phase_q <= row_phase_wraps ? 4'd0 : row_phase_q + 1'b1;
          if (row_phase_wraps) row_bank_q <= row_bank_wraps ? 6'd0 : row_bank_q + 1'b1;
        end else begin
          tap_y_left_q <= in.taps_y - 1'b1;
          row_phase_q <= plan_q.row_phase;
          row_bank_q <= plan_q.row_bank;
          row_q <= end_lanes ? row_group_next : row_set_q;
          lane_group_left_q <= end_lanes ? in.lane_groups - 1'b1 : lane_group_left_q - 1'b1;
          if (end_lanes) begin
            row_set_q <= row_group_next;
            column_set_q <= column_group_next;
            column_group_left_q <= end_columns ? in.column_groups - 1'b1 : column_group_left_q - 1'b1;
            if (end_columns) row_group_left_q <= row_group_left_q - 1'b1;
          end
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      space_q <= '0;
      written_q <= '0;
      middle_written_q <= '0;
    end else begin
      busy_q <= start || (busy_q && !finish);
      if (issue && last_step) begin
        space_q <= SpaceWidth'(DrainCycles - 1);
        written_q <= TimerWidth'(WrittenCycles);
      end else begin
        if (space_q != '0) space_q <= space_q - 1'b1;
        if (written_q != '0) written_q <= written_q - 1'b1;
      end
      if (issue && last_step && !in.target) middle_written_q <= TimerWidth'(WrittenCycles);
      else if (middle_written_q != '0) middle_written_q <= middle_written_q - 1'b1;
    end
  end

  assign context_valid_o = start;
  assign context_o.signal_mask = next_in.signal_mask;
  assign context_o.kind = next_in.kind;
  assign context_o.target = next_in.target;
  assign context_o.parameter_first =
      {4'b0, next_in.parameter_base} + 16'd1
      + (next_in.kind == tile_pkg::KindConv ? {8'b0, next_in.parameter_group}
                                            : {7'b0, next_in.parameter_group, 1'b0});
  // From the middle buffer: of the first lane group's x.
  assign context_o.source_base = next_in.source_base + {6'b0, next_in.pixel_words};
  assign context_o.source_pitch = next_in.source_pitch;
  assign context_o.target_base = next_in.target_base;
  assign context_o.target_row_pitch = next_in.target_row_pitch;
  assign context_o.target_pitch = {4'b0, next_in.target_pitch};
  assign context_o.target_row_step = plan_i.target_row_step;
  assign context_o.target_column_step = plan_i.target_column_step;

  assign step_valid_o = issue;
  assign step_first_o = first_q;
  assign step_last_o = last_step;
  assign step_end_o = {end_all, end_columns, end_lanes};
  assign step_middle_o = in.source;
  assign step_absolute_o = in.kind != tile_pkg::KindConv;
  assign step_row_o = row_q;
  assign step_column_o = column_q;
  assign step_row_step_o = plan_q.row_step;
  assign step_column_step_o = plan_q.column_step;
  assign step_row_bank_o = row_bank_q;
  assign step_column_bank_o = column_bank_q;
  assign step_weight_o = weight_q;
endmodule

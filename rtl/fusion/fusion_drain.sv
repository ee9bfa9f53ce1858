// Turns the sums of a set into results: requantiser, pool, output buffer; one group a cycle and byte.
//
// Contract: drain_i comes in the cycle in which the set's sums are in the shadow, with its description;
// drains are at least 2^(groups + bytes) cycles apart. Latency: group 0's first byte is written
// RequantLatency + 3 cycles later.
module fusion_drain #(
  parameter int unsigned Rows = 4,
  parameter int unsigned Columns = 4,
  parameter int unsigned AddrWidth = 8,  // of a page of the output buffer
  parameter int unsigned ParameterWidth = 5  // of a page of the parameter buffer
) (
  input  logic                       clk_i,
  input  logic                       rst_ni,  // synchronous, active low
  // Of the instruction that runs.
  input  logic [                2:0] groups_log2_i,
  input  logic                       is_channels_i,
  input  logic [                1:0] bytes_log2_i,
  input  logic [                9:0] pixel_words_i,
  input  logic [               15:0] plane_pitch_i,
  input  logic [               95:0] constants_i,  // min, max, post_shift
  // Of the set.
  input  logic                       drain_i,
  input  logic [               15:0] target_i,
  input  logic [               12:0] columns_i,
  input  logic [               10:0] word_i,
  input  logic [               11:0] parameter_i,
  input  logic                       pool_first_i,
  input  logic                       pool_last_i,
  input  logic [32*Rows*Columns-1:0] shadow_i,  // [group][column]
  output logic [ ParameterWidth-1:0] parameter_addr_o,
  input  logic [    128*Columns-1:0] parameters_i,  // 2 cycles later
  output logic                       write_o,
  output logic [      AddrWidth-1:0] write_addr_o,
  output logic [      8*Columns-1:0] write_data_o
);
  localparam int unsigned GroupWidth = $clog2(Rows) + 1;
  localparam int unsigned IndexWidth = Rows > 1 ? $clog2(Rows) : 1;
  localparam int unsigned Latency = fusion_pkg::RequantLatency + 2;  // from a group's turn to its result

  // The set's description: as it comes, then kept.
  logic [12:0] columns_q, columns;
  logic [10:0] word_q, word;
  logic [11:0] record_q, record;
  logic [15:0] target_q, target, plane_q, plane;
  logic pool_first_q, pool_last_q, pool_first, pool_last, active_q;
  logic [GroupWidth-1:0] group_q, group;
  logic [1:0] byte_q, byte_index;
  logic active, ends_group, ends;
  assign active = drain_i || active_q;
  assign columns = drain_i ? columns_i : columns_q;
  assign word = drain_i ? word_i : word_q;
  assign record = drain_i ? parameter_i : record_q;
  assign target = drain_i ? target_i : target_q;
  assign plane = drain_i ? '0 : plane_q;
  assign pool_first = drain_i ? pool_first_i : pool_first_q;
  assign pool_last = drain_i ? pool_last_i : pool_last_q;
  assign group = drain_i ? '0 : group_q;
  assign byte_index = drain_i ? '0 : byte_q;
  assign ends_group = byte_index == 2'((3'd1 << bytes_log2_i) - 3'd1);
  assign ends = ends_group && group == GroupWidth'((32'd1 << groups_log2_i) - 1);

  assign parameter_addr_o = record[ParameterWidth-1:0];

  always_ff @(posedge clk_i) begin
    if (active) begin
      pool_first_q <= pool_first;
      pool_last_q <= pool_last;
      byte_q <= ends_group ? '0 : byte_index + 1'b1;
      plane_q <= ends_group ? '0 : plane + plane_pitch_i;
      group_q <= ends_group ? group + 1'b1 : group;
      columns_q <= ends_group && !is_channels_i ? (columns == '0 ? '0 : columns - 1'b1) : columns;
      word_q <= ends_group && is_channels_i ? word + 1'b1 : word;
      record_q <= ends_group && is_channels_i ? record + 1'b1 : record;
      target_q <= !ends_group ? target : is_channels_i ? target + 1'b1 : target + {6'b0, pixel_words_i};
    end
    if (!rst_ni) active_q <= 1'b0;
    else active_q <= active && !ends;
  end

  // The group's sums, with its parameters two cycles later.
  logic [32*Columns-1:0] sums_q, sums;
  always_ff @(posedge clk_i) begin
    sums_q <= '0;
    for (int unsigned g = 0; g < Rows; g++) begin
      if (group == GroupWidth'(g)) sums_q <= shadow_i[32*Columns*g+:32*Columns];
    end
    sums <= sums_q;
  end

  // What goes along with a group and byte until its results are there.
  logic result, result_pool_first, result_pool_last;
  logic [1:0] result_byte;
  logic [GroupWidth-1:0] result_group;
  logic [15:0] result_target;
  pulse_line #(.DataWidth(1), .Stages(Latency)) u_result (
      .clk_i, .rst_ni, .data_i(active && columns != '0 && word < {1'b0, pixel_words_i}), .data_o(result));
  delay_line #(.DataWidth(20 + GroupWidth), .Stages(Latency)) u_along (
      .clk_i, .data_i({pool_first, pool_last, byte_index, group, target + plane}),
      .data_o({result_pool_first, result_pool_last, result_byte, result_group, result_target}));

  logic [32*Columns-1:0] results, best, chosen;
  for (genvar c = 0; c < Columns; c++) begin : gen_lane
    fusion_requantiser u_requantiser (
        .clk_i, .acc_i(sums[32*c+:32]), .multiplier_i(parameters_i[128*c+64+:32]),
        .pre_shift_i(parameters_i[128*c+96+:6]), .bias_i(parameters_i[128*c+:64]),
        .post_shift_i(constants_i[69:64]), .min_i(constants_i[31:0]), .max_i(constants_i[63:32]),
        .result_o(results[32*c+:32]));
    // The largest of the pool so far, per group.
    logic [31:0] best_q[Rows];
    logic signed [31:0] so_far, now;
    assign so_far = best_q[result_group[IndexWidth-1:0]];
    assign now = results[32*c+:32];
    assign best[32*c+:32] = result_pool_first || now > so_far ? now : so_far;
    always_ff @(posedge clk_i) if (result) best_q[result_group[IndexWidth-1:0]] <= best[32*c+:32];
    assign chosen[32*c+:32] = best[32*c+:32] >> {result_byte, 3'b0};
  end

  always_ff @(posedge clk_i) begin
    for (int unsigned c = 0; c < Columns; c++) write_data_o[8*c+:8] <= chosen[32*c+:8];
    write_addr_o <= result_target[AddrWidth-1:0];
    if (!rst_ni) write_o <= 1'b0;
    else write_o <= result && result_pool_last;
  end

  logic unused_bits;
  assign unused_bits = ^{chosen, record, result_group, result_target, constants_i, parameters_i};
endmodule

// COMPUTE: walks through blocks, outputs, pool and steps, and issues a step a cycle.
//
// Contract: an instruction begins when tokens are there; after Rows + 3 cycles of preparation its steps
// are issued without gaps, but last steps of sets are at least 2^(groups + bytes) cycles apart. It ends
// when the results of its last set are written (written_i, WriteLatency after that step).
// Per step: step_o with the record's address (1 cycle before RAM), the origin of each row's window and the block's
// first weight word. Per set, with its last step: set_o and where its results go.
module fusion_compute #(
  parameter int unsigned Rows = 4,  // a power of two
  parameter int unsigned DrainLatency = 20  // from a last step to the cycle after its first result is written
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,  // synchronous, active low
  input  logic                  clear_i,
  input  logic                  valid_i,
  output logic                  ready_o,
  input  logic [         255:0] instruction_i,
  input  logic [           6:0] tokens_i,
  output logic [           6:0] take_o,
  output logic [           6:0] give_o,
  output logic                  idle_o,
  // Of the instruction that runs.
  output logic                  source_page_o,
  output logic                  weight_page_o,
  output logic                  target_page_o,
  output logic [           2:0] groups_log2_o,
  output logic                  is_channels_o,
  output logic [           1:0] fold_log2_o,
  output logic [           1:0] bytes_log2_o,
  output logic [           9:0] pixel_words_o,
  output logic [          15:0] plane_pitch_o,
  // Of a step.
  output logic                  step_o,
  output logic                  first_o,
  output logic                  last_o,
  output logic [          11:0] step_addr_o,
  output logic [20*Rows-1:0]    origins_o,  // elements
  output logic [          15:0] block_word_o,
  // Of a set, with its last step.
  output logic [          15:0] set_target_o,  // word of the output buffer of its first result
  output logic [          12:0] set_columns_o,  // outputs of the row from its first on
  output logic [          10:0] set_word_o,  // of the pixel
  output logic [          11:0] set_parameter_o,
  output logic                  set_pool_first_o,
  output logic                  set_pool_last_o
);
  typedef enum logic [1:0] {
    Idle,
    Prepare,
    Run,
    Finish
  } state_t;
  state_t state_q;

  logic [255:0] i_q;
  logic [9:0] blocks, pixel_words, first_word;
  logic [11:0] rows, columns, steps, block_words;
  logic [1:0] pool, bytes;
  logic [3:0] stride_y, stride_x;
  logic [19:0] pitch;
  logic [13:0] pixel;
  logic [2:0] groups;
  logic is_channels;
  assign groups = i_q[20:18];
  assign is_channels = i_q[21];
  assign blocks = i_q[33:24];
  assign rows = i_q[45:34];
  assign columns = i_q[57:46];
  assign pool = i_q[59:58];
  assign steps = i_q[71:60];
  assign stride_y = i_q[75:72];
  assign stride_x = i_q[79:76];
  assign pitch = i_q[99:80];
  assign pixel = i_q[113:100];
  assign block_words = i_q[125:114];
  assign pixel_words = i_q[135:126];
  assign first_word = i_q[145:136];
  assign bytes = i_q[173:172];

  assign groups_log2_o = groups;
  assign is_channels_o = is_channels;
  assign fold_log2_o = i_q[23:22];
  assign bytes_log2_o = bytes;
  assign pixel_words_o = pixel_words;
  assign plane_pitch_o = i_q[171:156];

  logic start, done;
  logic [8:0] finish_q;
  assign start = valid_i && state_q == Idle && (instruction_i[10:4] & ~tokens_i) == '0;
  assign ready_o = start;
  assign take_o = start ? instruction_i[10:4] : '0;
  assign done = state_q == Finish && finish_q == '0;
  assign give_o = done ? i_q[17:11] : '0;
  assign idle_o = state_q == Idle && !valid_i;

  // Steps between neighbours: windows of a pool, outputs, groups, rows; elements.
  logic [19:0] window_step_q, window_row_q, output_step_q, output_row_q, group_step_q;
  logic [20*Rows-1:0] row_offset_q;
  logic [6:0] prepare_q;  // row
  logic [19:0] row_sum_q;
  logic [6:0] group_mask;  // rows of a group, less 1
  assign group_mask = 7'((Rows >> groups) - 1);

  // Counters, outermost first, and what they amount to.
  logic [9:0] block_q;
  logic [11:0] oy_q, step_q;
  logic [12:0] columns_left_q;
  logic [1:0] py_q, px_q;
  logic [19:0] oy_origin_q, og_origin_q, py_origin_q, px_origin_q, origin;
  logic [15:0] block_word_q, target_q, row_target_q, row_words_q, group_words_q;
  logic [10:0] word_q;
  logic [11:0] parameter_q;
  logic [8:0] drain_q;

  logic is_last_step, issue, ends_px, ends_py, ends_og, ends_oy, ends_block;
  logic [6:0] group_count;
  logic [8:0] drain_cycles;
  logic [12:0] group_columns;
  assign group_count = 7'd1 << groups;
  assign drain_cycles = {2'b0, group_count} << bytes;
  assign group_columns = is_channels ? 13'd1 : 13'(group_count);
  assign is_last_step = step_q + 12'd1 == steps;
  assign issue = state_q == Run && (!is_last_step || drain_q == '0);
  assign ends_px = px_q + 2'd1 == pool;
  assign ends_py = py_q + 2'd1 == pool;
  assign ends_og = columns_left_q <= group_columns;
  assign ends_oy = oy_q + 12'd1 == rows;
  assign ends_block = block_q + 10'd1 == blocks;

  assign origin = oy_origin_q + og_origin_q + py_origin_q + px_origin_q;
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    assign origins_o[20*r+:20] = origin + row_offset_q[20*r+:20];
  end
  assign step_o = issue;
  assign first_o = step_q == '0;
  assign last_o = issue && is_last_step;
  assign step_addr_o = step_q;
  assign block_word_o = block_word_q;
  assign set_target_o = target_q;
  assign set_columns_o = columns_left_q;
  assign set_word_o = word_q;
  assign set_parameter_o = parameter_q;
  assign set_pool_first_o = py_q == '0 && px_q == '0;
  assign set_pool_last_o = ends_px && ends_py;

  logic [10:0] block_outputs;
  assign block_outputs = is_channels ? 11'(group_count) : 11'd1;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start) state_q <= Prepare;
        Prepare: if (prepare_q == 7'(Rows + 2)) state_q <= Run;
        Run: if (last_o && ends_px && ends_py && ends_og && ends_oy && ends_block) state_q <= Finish;
        default: if (done) state_q <= Idle;
      endcase
    end
    if (!rst_ni || clear_i) begin
      source_page_o <= 1'b0;
      weight_page_o <= 1'b0;
      target_page_o <= 1'b0;
    end else if (done) begin
      source_page_o <= source_page_o ^ i_q[174];
      weight_page_o <= weight_page_o ^ i_q[175];
      target_page_o <= target_page_o ^ i_q[176];
    end
  end

  always_ff @(posedge clk_i) begin
    if (start) i_q <= instruction_i;
    if (drain_q != '0) drain_q <= drain_q - 1'b1;
    if (state_q == Idle) begin
      prepare_q <= '0;
      row_sum_q <= '0;
      block_q <= '0;
      block_word_q <= '0;
      oy_q <= '0;
      oy_origin_q <= '0;
      og_origin_q <= '0;
      py_origin_q <= '0;
      px_origin_q <= '0;
      step_q <= '0;
      py_q <= '0;
      px_q <= '0;
      parameter_q <= 12'd1;
      drain_q <= '0;
    end
    if (state_q == Prepare) begin
      prepare_q <= prepare_q + 1'b1;
      if (prepare_q == '0) begin
        window_step_q <= 20'(stride_x) * 20'(pixel);
        window_row_q <= 20'(stride_y) * pitch;
      end else begin
        // Rows r = prepare - 1: the windows of a group's rows are those of its output.
        for (int unsigned r = 0; r < Rows; r++) begin
          if (prepare_q == 7'(r + 1)) row_offset_q[20*r+:20] <= is_channels ? '0 : row_sum_q;
        end
        if (((prepare_q - 7'd1) & group_mask) == group_mask) begin
          row_sum_q <= row_sum_q + 20'(pool) * window_step_q;
        end
      end
      output_step_q <= 20'(pool) * window_step_q;
      output_row_q <= 20'(pool) * window_row_q;
      group_step_q <= is_channels ? output_step_q : output_step_q << groups;
      columns_left_q <= {1'b0, columns};
      row_words_q <= 16'(columns) * 16'(pixel_words);
      group_words_q <= is_channels ? {6'b0, pixel_words} : {6'b0, pixel_words} << groups;
      word_q <= {1'b0, first_word};
      target_q <= {6'b0, first_word};
      row_target_q <= {6'b0, first_word};
    end
    if (issue) begin
      step_q <= is_last_step ? '0 : step_q + 1'b1;
      if (is_last_step) begin
        drain_q <= drain_cycles - 1'b1;
        px_q <= ends_px ? '0 : px_q + 1'b1;
        px_origin_q <= ends_px ? '0 : px_origin_q + window_step_q;
        if (ends_px) begin
          py_q <= ends_py ? '0 : py_q + 1'b1;
          py_origin_q <= ends_py ? '0 : py_origin_q + window_row_q;
        end
        if (ends_px && ends_py) begin
          columns_left_q <= ends_og ? {1'b0, columns} : columns_left_q - group_columns;
          og_origin_q <= ends_og ? '0 : og_origin_q + group_step_q;
          target_q <= ends_og ? row_target_q + row_words_q : target_q + group_words_q;
          if (ends_og) begin
            oy_q <= ends_oy ? '0 : oy_q + 1'b1;
            oy_origin_q <= ends_oy ? '0 : oy_origin_q + output_row_q;
            row_target_q <= row_target_q + row_words_q;
          end
          if (ends_og && ends_oy) begin
            block_q <= block_q + 1'b1;
            block_word_q <= block_word_q + {4'b0, block_words};
            word_q <= word_q + block_outputs;
            parameter_q <= parameter_q + {1'b0, block_outputs};
            target_q <= {5'b0, word_q + block_outputs};
            row_target_q <= {5'b0, word_q + block_outputs};
          end
        end
      end
    end
    if (state_q == Run) finish_q <= 9'(DrainLatency) + drain_cycles;
    if (state_q == Finish) finish_q <= finish_q - 1'b1;
  end

  logic unused_bits;
  assign unused_bits = ^i_q;
endmodule

// Writes the tile of a LOAD: one word a cycle, zeros always, data when it is there.
//
// Latency: a job taken in cycle t writes its first word (of zeros) in t + 2; jobs follow each other
// without a gap. give_o comes with the write of the last word.
module tile_load_writer #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned OperandBits = 16,
  localparam int unsigned BufferBits = OperandBits == 8 ? 9 : 16
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,  // synchronous, active low
  input  logic                          valid_i,
  output logic                          ready_o,
  input  logic [tile_pkg::LoadBits-1:0] instruction_i,
  input  logic                          beat_valid_i,
  output logic                          beat_ready_o,
  input  logic [                 127:0] beat_i,
  output logic [           Poy*Pox-1:0] write_o,  // by bank
  output logic [                  15:0] write_addr_o,
  output logic [    BufferBits*Pif-1:0] write_data_o,
  output logic [                   6:0] give_o,
  output logic                          idle_o
);
  localparam int unsigned Banks = Poy * Pox;
  localparam int unsigned OffsetBits = OperandBits == 8 ? 4 : 3;  // of an element in its beat
  localparam int unsigned OffsetLow = OperandBits == 8 ? 0 : 1;

  tile_pkg::load_t in, next_in;
  assign next_in = instruction_i;

  logic busy_q;
  logic [11:0] rows_left_q, valid_left_q, left_left_q;
  logic [7:0] top_left_q;
  logic [15:0] words_left_q, data_left_q, data_words_q;
  logic [9:0] chunks_left_q;
  logic [3:0] row_phase_q, column_phase_q;
  logic [5:0] row_bank_q, column_bank_q;
  logic [15:0] row_q, row_group_q, column_q, column_group_q;

  logic start, step, is_data, ok, row_valid, last_word, last_chunk, finish;
  logic [OperandBits*Pif-1:0] data;
  logic [BufferBits*Pif-1:0] extended;
  assign row_valid = top_left_q == '0 && valid_left_q != '0;
  assign is_data = row_valid && left_left_q == '0 && data_left_q != '0;
  assign step = busy_q && (!is_data || ok);
  assign last_word = words_left_q == 16'd1;
  assign last_chunk = chunks_left_q == 10'd1;
  assign finish = step && last_word && rows_left_q == 12'd1;
  assign ready_o = !busy_q || finish;
  assign start = valid_i && ready_o;
  assign idle_o = !busy_q && write_o == '0;

  element_unpacker #(.Count(Pif), .ElementBits(OperandBits)) u_unpacker (
      .clk_i, .rst_ni, .start_i(start), .rows_i(next_in.valid_elements == '0 ? '0 : next_in.valid_rows),
      .elements_i(next_in.valid_elements), .offset_i(next_in.address[OffsetLow+:OffsetBits]),
      .offset_step_i(next_in.row_stride[OffsetLow+:OffsetBits]),
      .beat_valid_i, .beat_ready_o, .beat_i, .ok_o(ok), .pop_i(step && is_data), .data_o(data));

  // The next pixel's (row's) words: next phase of the stride, else next bank, else next word of the
  // first bank.
  logic row_phase_wraps, row_bank_wraps, column_phase_wraps, column_bank_wraps;
  assign row_phase_wraps = row_phase_q + 4'd1 == in.stride_y;
  assign row_bank_wraps = row_bank_q == 6'(Poy - 1);
  assign column_phase_wraps = column_phase_q + 4'd1 == in.stride_x;
  assign column_bank_wraps = column_bank_q == 6'(Pox - 1);

  for (genvar k = 0; k < Pif; k++) begin : gen_extend
    if (OperandBits == 8) begin : gen_ninth
      assign extended[9*k+:9] = {data[8*k+7] && !in.is_unsigned, data[8*k+:8]};
    end else begin : gen_same
      assign extended[16*k+:16] = data[16*k+:16];
    end
  end

  logic [15:0] next_data_words;
  assign next_data_words = 16'((21'(next_in.valid_elements) + 21'(Pif - 1)) >> $clog2(Pif));

  always_ff @(posedge clk_i) begin
    if (start) begin
      in <= next_in;
      rows_left_q <= next_in.rows;
      top_left_q <= next_in.top_rows;
      valid_left_q <= next_in.valid_rows;
      words_left_q <= next_in.row_words;
      left_left_q <= next_in.left_words;
      data_left_q <= next_data_words;
      data_words_q <= next_data_words;
      chunks_left_q <= next_in.chunks;
      row_phase_q <= '0;
      row_bank_q <= '0;
      row_q <= next_in.base;
      row_group_q <= next_in.base;
      column_phase_q <= '0;
      column_bank_q <= '0;
      column_q <= '0;
      column_group_q <= '0;
    end else if (step) begin
      words_left_q <= words_left_q - 1'b1;
      if (left_left_q != '0) left_left_q <= left_left_q - 1'b1;
      else if (data_left_q != '0) data_left_q <= data_left_q - 1'b1;
      chunks_left_q <= last_chunk ? in.chunks : chunks_left_q - 1'b1;
      column_q <= column_q + 1'b1;
      if (last_chunk) begin
        column_phase_q <= column_phase_wraps ? '0 : column_phase_q + 1'b1;
        if (column_phase_wraps) begin
          column_bank_q <= column_bank_wraps ? '0 : column_bank_q + 1'b1;
          if (column_bank_wraps) column_group_q <= column_q + 1'b1;
          else column_q <= column_group_q;
        end
      end
      if (last_word) begin
        words_left_q <= in.row_words;
        left_left_q <= in.left_words;
        data_left_q <= data_words_q;
        chunks_left_q <= in.chunks;
        column_phase_q <= '0;
        column_bank_q <= '0;
        column_q <= '0;
        column_group_q <= '0;
        rows_left_q <= rows_left_q - 1'b1;
        if (top_left_q != '0) top_left_q <= top_left_q - 1'b1;
        else if (valid_left_q != '0) valid_left_q <= valid_left_q - 1'b1;
        row_phase_q <= row_phase_wraps ? '0 : row_phase_q + 1'b1;
        row_q <= row_q + in.row_pitch;
        if (row_phase_wraps) begin
          row_bank_q <= row_bank_wraps ? '0 : row_bank_q + 1'b1;
          if (row_bank_wraps) row_group_q <= row_q + in.row_pitch;
          else row_q <= row_group_q;
        end
      end
    end
    write_addr_o <= row_q + column_q;
    write_data_o <= is_data ? extended : '0;
  end

  logic [31:0] bank;
  assign bank = 32'(row_bank_q) * Pox + 32'(column_bank_q);
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      busy_q <= 1'b0;
      write_o <= '0;
      give_o <= '0;
    end else begin
      busy_q <= start || (busy_q && !finish);
      write_o <= step ? Banks'(1) << bank : '0;
      give_o <= finish ? in.signal_mask : '0;
    end
  end
endmodule

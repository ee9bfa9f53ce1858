// Reads the rows of a STORE from the output buffer, a word a cycle, and packs their elements into
// beats. A pooled word is the maximum of four, read one after the other.
//
// Latency: a job taken in cycle t reads its first word in t + 1; the word reaches the packer in t +
// 4, its first beat leaves 1 cycle later.
module tile_store_reader #(
  parameter int unsigned EpilogueLanes = 2,
  parameter int unsigned OperandBits = 16
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,  // synchronous, active low
  input  logic                           valid_i,
  output logic                           ready_o,
  input  logic [tile_pkg::StoreBits-1:0] instruction_i,
  output logic [                   15:0] read_addr_o,
  input  logic [   16*EpilogueLanes-1:0] read_data_i,  // 2 cycles after the address
  output logic                           beat_valid_o,
  input  logic                           beat_ready_i,
  output logic [                  127:0] beat_o,
  output logic [                   15:0] strobe_o,
  output logic                           idle_o
);
  localparam int unsigned E = EpilogueLanes;
  localparam int unsigned IndexWidth = $clog2(E);
  localparam int unsigned CountWidth = $clog2(E + 1);
  localparam int unsigned FifoWords = 8;
  // The packer's units are elements, in 8-bit designs bytes.
  localparam int unsigned OffsetBits = OperandBits == 8 ? 4 : 3;
  localparam int unsigned OffsetLow = OperandBits == 8 ? 0 : 1;
  localparam int unsigned Units = OperandBits == 8 ? 2 * E : E;
  localparam int unsigned UnitBits = OperandBits == 8 ? 8 : 16;
  localparam int unsigned TagWidth = IndexWidth + CountWidth + OffsetBits + 5;

  tile_pkg::store_t in, next_in;
  assign next_in = instruction_i;

  logic busy_q, row_begins_q;
  logic second_q;  // in the run's second part
  logic [1:0] corner_q;  // of the window: column, row
  logic [15:0] corner_address_q;  // from word_q
  logic [15:0] row_step_q, column_step_q;
  logic [11:0] rows_left_q;
  logic [19:0] row_left_q;  // elements
  logic [13:0] run_left_q;
  logic [15:0] row_q, pixel_q, word_q;  // addresses of the row's first word, of the pixel's, of this one
  logic [IndexWidth-1:0] index_q;  // first element in the word
  logic [OffsetBits-1:0] offset_q;
  logic [3:0] credit_q;

  // Elements of this word.
  logic [CountWidth-1:0] in_word, count;
  logic row_ends, part_ends, step, advance, start, finish, popped;
  assign in_word = CountWidth'(E) - CountWidth'(index_q);
  always_comb begin
    count = in_word;
    if (run_left_q < 14'(count)) count = CountWidth'(run_left_q);
    if (row_left_q < 20'(count)) count = CountWidth'(row_left_q);
  end
  assign row_ends = row_left_q == 20'(count);
  assign part_ends = run_left_q == 14'(count);
  assign step = busy_q && credit_q != '0;
  assign advance = step && (!in.pools || corner_q == 2'd3);
  assign finish = advance && row_ends && rows_left_q == 12'd1;
  assign ready_o = !busy_q || finish;
  assign start = valid_i && ready_o;
  assign read_addr_o = word_q + corner_address_q;

  logic [15:0] next_first, first_word, second_word, next_row, next_pixel;
  logic [13:0] first_part;
  assign first_part = in.split == '0 ? in.run : in.split;
  assign next_first = next_in.base + (16'(next_in.first) >> IndexWidth);
  assign first_word = 16'(in.first) >> IndexWidth;
  assign second_word = 16'(in.second) >> IndexWidth;
  assign next_row = row_q + row_step_q;
  assign next_pixel = pixel_q + column_step_q;

  always_ff @(posedge clk_i) begin
    if (start) begin
      in <= next_in;
      rows_left_q <= next_in.rows;
      row_left_q <= next_in.valid_elements;
      run_left_q <= next_in.split == '0 ? next_in.run : next_in.split;
      row_q <= next_in.base;
      pixel_q <= next_in.base;
      word_q <= next_first;
      index_q <= next_in.first[IndexWidth-1:0];
      offset_q <= next_in.address[OffsetLow+:OffsetBits];
      row_begins_q <= 1'b1;
      second_q <= 1'b0;
      row_step_q <= next_in.pools ? next_in.row_pitch << 1 : next_in.row_pitch;
      column_step_q <= 16'(next_in.column_pitch) << next_in.pools;
      corner_q <= '0;
      corner_address_q <= '0;
    end else if (advance) begin
      row_begins_q <= row_ends;
      corner_q <= '0;
      corner_address_q <= '0;
      if (row_ends) begin
        rows_left_q <= rows_left_q - 1'b1;
        row_left_q <= in.valid_elements;
        run_left_q <= first_part;
        second_q <= 1'b0;
        row_q <= next_row;
        pixel_q <= next_row;
        word_q <= next_row + first_word;
        index_q <= in.first[IndexWidth-1:0];
        offset_q <= offset_q + in.row_stride[OffsetLow+:OffsetBits];
      end else begin
        row_left_q <= row_left_q - 20'(count);
        if (part_ends && in.split != '0 && !second_q) begin
          second_q <= 1'b1;
          run_left_q <= in.run - in.split;
          word_q <= pixel_q + second_word;
          index_q <= in.second[IndexWidth-1:0];
        end else if (part_ends) begin
          second_q <= 1'b0;
          run_left_q <= first_part;
          pixel_q <= next_pixel;
          word_q <= next_pixel + first_word;
          index_q <= in.first[IndexWidth-1:0];
        end else begin
          run_left_q <= run_left_q - 14'(count);
          word_q <= word_q + 1'b1;
          index_q <= '0;
        end
      end
    end else if (step) begin
      corner_q <= corner_q + 1'b1;
      corner_address_q <= (corner_q == 2'd1 ? '0 : 16'(in.column_pitch)) + (corner_q == 2'd0 ? '0 : in.row_pitch);
    end
    if (!rst_ni) begin
      busy_q <= 1'b0;
      credit_q <= 4'(FifoWords);
    end else begin
      busy_q <= start || (busy_q && !finish);
      credit_q <= credit_q - 4'(advance) + 4'(popped);
    end
  end

  logic tag_valid, tag_first, tag_last, fifo_ready, word_valid, word_ready, packer_idle, row_begins, last_of_row, narrow;
  logic [TagWidth-3:0] tag;
  logic [16*E-1:0] word;
  logic [IndexWidth-1:0] index;
  logic [CountWidth-1:0] word_count;
  logic [OffsetBits-1:0] offset;
  pulse_line #(.Stages(2)) u_valid (.clk_i, .rst_ni, .data_i(step), .data_o(tag_valid));
  delay_line #(.DataWidth(TagWidth), .Stages(2)) u_tag (
      .clk_i, .data_i({corner_q == '0, advance, in.element_bytes == 2'd1, index_q, count, offset_q, row_begins_q, row_ends}),
      .data_o({tag_first, tag_last, tag}));

  // The greatest of the corners so far, element by element.
  logic [16*E-1:0] greatest, greatest_q;
  for (genvar k = 0; k < E; k++) begin : gen_greatest
    assign greatest[16*k+:16] = tag_first || $signed(read_data_i[16*k+:16]) > $signed(greatest_q[16*k+:16])
                                ? read_data_i[16*k+:16] : greatest_q[16*k+:16];
  end
  always_ff @(posedge clk_i) if (tag_valid) greatest_q <= greatest;

  stream_fifo #(.DataWidth(TagWidth - 2 + 16 * E), .Depth(FifoWords)) u_words (
      .clk_i, .rst_ni, .valid_i(tag_valid && tag_last), .ready_o(fifo_ready), .data_i({tag, greatest}), .valid_o(word_valid),
      .ready_i(word_ready), .data_o({narrow, index, word_count, offset, row_begins, last_of_row, word}));
  assign popped = word_valid && word_ready;
  logic [16*E-1:0] units;
  logic [$clog2(Units)-1:0] first_unit;
  logic [$clog2(Units+1)-1:0] unit_count;
  if (OperandBits == 8) begin : gen_bytes
    for (genvar k = 0; k < E; k++) begin : gen_byte
      // Low bytes side by side, or both bytes.
      assign units[8*k+:8] = narrow ? word[16*k+:8] : word[8*k+:8];
    end
    assign units[16*E-1:8*E] = word[16*E-1:8*E];
    assign first_unit = narrow ? {1'b0, index} : {index, 1'b0};
    assign unit_count = narrow ? {1'b0, word_count} : {word_count, 1'b0};
  end else begin : gen_elements
    assign units = word;
    assign first_unit = index;
    assign unit_count = word_count;
    logic unused_narrow;
    assign unused_narrow = narrow;
  end
  element_packer #(.Count(Units), .UnitBits(UnitBits)) u_packer (
      .clk_i, .rst_ni, .word_valid_i(word_valid), .word_ready_o(word_ready), .word_i(units), .first_i(first_unit),
      .count_i(unit_count), .row_begins_i(row_begins), .row_ends_i(last_of_row), .offset_i(offset), .beat_valid_o,
      .beat_ready_i, .beat_o, .strobe_o, .idle_o(packer_idle));
  assign idle_o = !busy_q && credit_q == 4'(FifoWords) && packer_idle;

  always_ff @(posedge clk_i) if (rst_ni) assert (!tag_valid || fifo_ready);
endmodule

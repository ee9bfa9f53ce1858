// STORE: reads results from the output buffer and writes them to memory, packed by digits.
//
// Contract: an instruction begins when tokens are there and ends when all its bursts are answered. Begun in cycle
// t, its first row is requested in t + 1 and its first word read in t + 1; a word a cycle while the FIFO
// behind the buffer has room. The packer takes a word or gives a beat each cycle.
module fusion_store #(
  parameter int unsigned Columns = 4,
  parameter int unsigned AddrWidth = 8  // of a page of the output buffer
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,  // synchronous, active low
  input  logic                 clear_i,
  input  logic                 valid_i,
  output logic                 ready_o,
  input  logic [        255:0] instruction_i,
  input  logic [          6:0] tokens_i,
  output logic [          6:0] take_o,
  output logic [          6:0] give_o,
  output logic                 idle_o,
  output logic                 request_valid_o,
  input  logic                 request_ready_i,
  output logic [         39:0] request_address_o,
  output logic [         31:0] request_bytes_o,
  input  logic                 split_i,
  input  logic [          7:0] sent_i,
  input  logic [          7:0] answered_i,
  output logic                 beat_valid_o,
  input  logic                 beat_ready_i,
  output logic [        127:0] beat_o,
  output logic [  AddrWidth:0] read_addr_o,  // page, word
  input  logic [8*Columns-1:0] read_data_i  // 2 cycles later
);
  localparam int unsigned FifoWords = 8;
  localparam int unsigned WordDigits = 4 * Columns;
  localparam int unsigned Capacity = 64 + WordDigits;  // digits

  logic running_q, page_q;
  logic [255:0] i_q;
  logic [19:0] stride;
  logic [11:0] pixels, row_beats;
  logic [13:0] elements, lead;
  logic [9:0] pixel_words;
  logic [1:0] digits_log2;
  logic [2:0] digit_offset;
  logic [6:0] lanes;
  assign stride = i_q[121:102];
  assign pixels = i_q[145:134];
  assign elements = i_q[159:146];
  assign lead = i_q[173:160];
  assign row_beats = i_q[185:174];
  assign pixel_words = i_q[211:202];
  assign lanes = 7'(Columns >> i_q[213:212]);
  assign digits_log2 = i_q[215:214];
  assign digit_offset = i_q[218:216];

  logic [35:0] address_q;
  logic [11:0] to_request_q, rows_left_q;  // rows whose beats are not all given
  logic start, done;
  assign start = valid_i && !running_q && (instruction_i[10:4] & ~tokens_i) == '0;
  assign ready_o = start;
  assign take_o = start ? instruction_i[10:4] : '0;
  assign done = running_q && rows_left_q == '0 && to_request_q == '0 && split_i && sent_i == answered_i;
  assign give_o = done ? i_q[17:11] : '0;
  assign idle_o = !running_q && !valid_i;
  assign request_valid_o = running_q && to_request_q != '0;
  assign request_address_o = {address_q, 4'b0};
  assign request_bytes_o = {16'b0, row_beats, 4'b0};

  // The reader: words of pixels of rows, each with its number of elements.
  logic [11:0] read_row_q, read_pixel_q;
  logic [9:0] read_word_q;
  logic [13:0] elements_left_q;
  logic [AddrWidth-1:0] word_q;
  logic [3:0] credit_q;
  logic reads, ends_pixel, ends_row, popped;
  logic [6:0] count;
  assign reads = running_q && read_row_q != '0 && credit_q != '0;
  assign ends_pixel = read_word_q + 10'd1 == pixel_words;
  assign ends_row = ends_pixel && read_pixel_q + 12'd1 == pixels;
  assign count = elements_left_q < {7'b0, lanes} ? elements_left_q[6:0] : lanes;
  assign read_addr_o = {page_q, word_q};

  logic fifo_in, fifo_valid, in_ends_row, fifo_ends_row, fifo_ready;
  logic [6:0] in_count, fifo_count;
  logic [8*Columns-1:0] fifo_word;
  pulse_line #(.DataWidth(1), .Stages(2)) u_read (.clk_i, .rst_ni, .data_i(reads), .data_o(fifo_in));
  delay_line #(.DataWidth(8), .Stages(2)) u_count (
      .clk_i, .data_i({ends_row, count}), .data_o({in_ends_row, in_count}));
  stream_fifo #(.DataWidth(8 * Columns + 8), .Depth(FifoWords)) u_fifo (
      .clk_i, .rst_ni, .valid_i(fifo_in), .ready_o(fifo_ready), .data_i({in_ends_row, in_count, read_data_i}),
      .valid_o(fifo_valid), .ready_i(popped), .data_o({fifo_ends_row, fifo_count, fifo_word}));

  // A word's elements, their digits side by side, the others 0.
  logic [8*Columns-1:0] packed_word;
  logic [8*Columns-1:0] kept;
  for (genvar e = 0; e < Columns; e++) begin : gen_element
    assign kept[8*e+:8] = 7'(e) < fifo_count ? fifo_word[8*e+:8] >> {digit_offset, 1'b0} : '0;
  end
  always_comb begin
    packed_word = digits_log2 == 2'd2 ? kept : '0;
    for (int unsigned k = 0; k < Columns; k++) begin
      if (digits_log2 == 2'd0) packed_word[2*k+:2] = kept[8*k+:2];
      if (digits_log2 == 2'd1) packed_word[4*k+:4] = kept[8*k+:4];
    end
  end

  // The packer: digits of the row that were not sent, after those of its lead.
  logic [2*Capacity-1:0] buffer_q;
  logic [15:0] fill_q;
  logic [11:0] beats_left_q;
  logic whole_q;  // all words of the row were taken
  logic gives;
  assign beat_valid_o = running_q && rows_left_q != '0 && (fill_q >= 16'd64 || whole_q);
  assign beat_o = buffer_q[127:0];
  assign gives = beat_valid_o && beat_ready_i;
  assign popped = fifo_valid && running_q && fill_q < 16'd64 && !whole_q;

  always_ff @(posedge clk_i) begin
    if (start) begin
      i_q <= instruction_i;
      address_q <= instruction_i[53:18];
      to_request_q <= instruction_i[133:122];
      rows_left_q <= instruction_i[133:122];
      read_row_q <= instruction_i[133:122];
      read_pixel_q <= '0;
      read_word_q <= '0;
      elements_left_q <= instruction_i[159:146];
      word_q <= instruction_i[186+:AddrWidth];
      buffer_q <= '0;
      fill_q <= {2'b0, instruction_i[173:160]};
      beats_left_q <= instruction_i[185:174];
      whole_q <= 1'b0;
    end
    if (request_valid_o && request_ready_i) begin
      address_q <= address_q + {16'b0, stride};
      to_request_q <= to_request_q - 1'b1;
    end
    if (reads) begin
      word_q <= word_q + 1'b1;
      read_word_q <= ends_pixel ? '0 : read_word_q + 1'b1;
      elements_left_q <= ends_pixel ? elements : elements_left_q - {7'b0, count};
      if (ends_pixel) read_pixel_q <= ends_row ? '0 : read_pixel_q + 1'b1;
      if (ends_row) read_row_q <= read_row_q - 1'b1;
    end
    if (gives) begin
      buffer_q <= buffer_q >> 128;
      fill_q <= fill_q < 16'd64 ? '0 : fill_q - 16'd64;
      beats_left_q <= beats_left_q - 1'b1;
      if (beats_left_q == 12'd1) begin
        rows_left_q <= rows_left_q - 1'b1;
        beats_left_q <= row_beats;
        fill_q <= {2'b0, lead};
        buffer_q <= '0;
        whole_q <= 1'b0;
      end
    end else if (popped) begin
      buffer_q <= buffer_q | ({128'b0, packed_word} << {fill_q[5:0], 1'b0});
      fill_q <= fill_q + (16'(fifo_count) << digits_log2);
      whole_q <= fifo_ends_row;
    end
    if (!rst_ni || clear_i) begin
      running_q <= 1'b0;
      page_q <= 1'b0;
      credit_q <= 4'(FifoWords);
    end else begin
      running_q <= start || (running_q && !done);
      if (done && i_q[219]) page_q <= !page_q;
      credit_q <= credit_q - 4'(reads) + 4'(popped);
    end
    if (rst_ni) assert (!fifo_in || fifo_ready);
  end

  logic unused_bits;
  assign unused_bits = ^{i_q, instruction_i};
endmodule

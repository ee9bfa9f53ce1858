// LOAD: copies rows of memory into the input buffer, two words of 64 bits for each beat.
//
// Contract: an instruction begins when tokens are there and ends when its last word is written; the next
// begins the cycle after at the earliest. Latency: begun in cycle t, its first row is requested in t + 1.
module fusion_load #(
  parameter int unsigned Words = 64,  // of a page
  localparam int unsigned AddrWidth = $clog2(Words)
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
  input  logic                 beat_valid_i,
  output logic                 beat_ready_o,
  input  logic [        127:0] beat_i,
  output logic                 write_o,
  output logic [  AddrWidth:0] write_addr_o,  // page, word
  output logic [         63:0] write_data_o
);
  logic running_q, page_q, phase_q, flip_q;
  logic [35:0] address_q;  // of the next row to request
  logic [19:0] stride_q;
  logic [11:0] to_request_q, to_write_q, row_beats_q, beat_q;
  logic [15:0] word_q, row_word_q, pitch_q;
  logic [6:0] signal_q;

  logic start, done;
  assign start = valid_i && !running_q && (instruction_i[10:4] & ~tokens_i) == '0;
  assign ready_o = start;
  assign take_o = start ? instruction_i[10:4] : '0;
  assign done = running_q && to_write_q == '0;
  assign give_o = done ? signal_q : '0;
  assign idle_o = !running_q && !valid_i;

  assign request_valid_o = running_q && to_request_q != '0;
  assign request_address_o = {address_q, 4'b0};
  assign request_bytes_o = {16'b0, row_beats_q, 4'b0};

  assign beat_ready_o = running_q && phase_q;
  assign write_o = running_q && beat_valid_i && to_write_q != '0;
  assign write_addr_o = {page_q, word_q[AddrWidth-1:0]};
  assign write_data_o = phase_q ? beat_i[127:64] : beat_i[63:0];

  always_ff @(posedge clk_i) begin
    if (start) begin
      address_q <= instruction_i[53:18];
      stride_q <= instruction_i[121:102];
      to_request_q <= instruction_i[133:122];
      to_write_q <= instruction_i[133:122];
      row_beats_q <= instruction_i[145:134];
      beat_q <= '0;
      word_q <= instruction_i[161:146];
      row_word_q <= instruction_i[161:146];
      pitch_q <= instruction_i[177:162];
      flip_q <= instruction_i[178];
      signal_q <= instruction_i[17:11];
    end
    if (request_valid_o && request_ready_i) begin
      address_q <= address_q + {16'b0, stride_q};
      to_request_q <= to_request_q - 1'b1;
    end
    if (write_o) begin
      word_q <= word_q + 1'b1;
      if (phase_q) begin
        beat_q <= beat_q + 1'b1;
        if (beat_q + 1'b1 == row_beats_q) begin
          beat_q <= '0;
          to_write_q <= to_write_q - 1'b1;
          word_q <= row_word_q + pitch_q;
          row_word_q <= row_word_q + pitch_q;
        end
      end
    end
    if (!rst_ni || clear_i) begin
      running_q <= 1'b0;
      page_q <= 1'b0;
      phase_q <= 1'b0;
    end else begin
      running_q <= start || (running_q && !done);
      if (write_o) phase_q <= !phase_q;
      if (done && flip_q) page_q <= !page_q;
    end
  end

  logic unused_bits;
  assign unused_bits = ^{instruction_i, word_q};
endmodule

// Store unit: STORE instructions; a front end that announces rows to the write DMA and a reader
// behind it (tile_store_reader).
//
// Contract: an instruction starts when its tokens are there and the one before has sent its
// addresses; its tokens are given when memory has answered all its bursts. Latency: the first row
// is announced in the cycle after the start.
module tile_store #(
  parameter int unsigned EpilogueLanes = 2,
  parameter int unsigned OperandBits = 16  // of 8: elements in memory have 1 or 2 bytes
) (
  input  logic                           clk_i,
  input  logic                           rst_ni,  // synchronous, active low
  input  logic                           valid_i,
  output logic                           ready_o,
  input  logic [tile_pkg::StoreBits-1:0] instruction_i,
  input  logic [                    6:0] available_i,
  output logic [                    6:0] take_o,
  output logic [                    6:0] give_o,
  output logic                           idle_o,
  output logic [                   15:0] read_addr_o,
  input  logic [   16*EpilogueLanes-1:0] read_data_i,  // 2 cycles after the address
  output logic                           request_valid_o,
  input  logic                           request_ready_i,
  output logic [                   39:0] request_address_o,
  output logic [                   31:0] request_bytes_o,
  input  logic                           split_i,
  input  logic [                    7:0] sent_i,
  input  logic [                    7:0] answered_i,
  output logic                           beat_valid_o,
  input  logic                           beat_ready_i,
  output logic [                  127:0] beat_o,
  output logic [                   15:0] strobe_o
);
  tile_pkg::store_t offered;
  assign offered = instruction_i;

  logic start, job_ready, job_valid, job_take, reader_idle, done_ready, done_valid, done_take, announce;
  logic [tile_pkg::StoreBits-1:0] job;
  logic busy_q;  // rows are being announced, or their addresses sent
  logic [11:0] rows_q;
  logic [39:0] address_q;
  logic [23:0] stride_q;
  logic [20:0] bytes_q;
  logic [6:0] signal_q, done_signal;
  logic [7:0] done_sent;

  assign start = valid_i && !busy_q && job_ready && (offered.wait_mask & ~available_i) == '0;
  assign ready_o = start;
  assign take_o = start ? offered.wait_mask : '0;
  assign request_valid_o = rows_q != '0;
  assign request_address_o = address_q;
  assign request_bytes_o = {11'b0, bytes_q};
  assign announce = busy_q && rows_q == '0 && split_i && done_ready;
  assign done_take = done_valid && answered_i == done_sent;
  assign idle_o = !busy_q && !job_valid && reader_idle && !done_valid && give_o == '0;

  always_ff @(posedge clk_i) begin
    if (start) begin
      address_q <= offered.address;
      stride_q <= offered.row_stride;
      bytes_q <= OperandBits == 8 && offered.element_bytes == 2'd1 ? {1'b0, offered.valid_elements}
                                                                   : {offered.valid_elements, 1'b0};
      signal_q <= offered.signal_mask;
    end else if (request_valid_o && request_ready_i) begin
      address_q <= address_q + {16'b0, stride_q};
    end
    if (!rst_ni) begin
      rows_q <= '0;
      busy_q <= 1'b0;
      give_o <= '0;
    end else begin
      if (start) rows_q <= offered.rows;
      else if (request_valid_o && request_ready_i) rows_q <= rows_q - 1'b1;
      busy_q <= start || (busy_q && !announce);
      give_o <= done_take ? done_signal : '0;
    end
  end

  stream_fifo #(.DataWidth(tile_pkg::StoreBits), .Depth(2)) u_jobs (
      .clk_i, .rst_ni, .valid_i(start), .ready_o(job_ready), .data_i(instruction_i), .valid_o(job_valid),
      .ready_i(job_take), .data_o(job));
  stream_fifo #(.DataWidth(15), .Depth(4)) u_done (
      .clk_i, .rst_ni, .valid_i(announce), .ready_o(done_ready), .data_i({signal_q, sent_i}), .valid_o(done_valid),
      .ready_i(done_take), .data_o({done_signal, done_sent}));
  tile_store_reader #(.EpilogueLanes(EpilogueLanes), .OperandBits(OperandBits)) u_reader (
      .clk_i, .rst_ni, .valid_i(job_valid), .ready_o(job_take), .instruction_i(job), .read_addr_o, .read_data_i,
      .beat_valid_o, .beat_ready_i, .beat_o, .strobe_o, .idle_o(reader_idle));
endmodule

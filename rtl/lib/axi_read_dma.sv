// AXI4 read DMA: turns byte ranges into bursts and gives their beats in order.
//
// Contract: a request covers the beats of [address, address + bytes), bytes above 0; whole beats
// come out. No burst crosses 4 KiB or has more than MaxBurstBeats. A burst is sent only when the
// FIFO has room for all of it, so r_ready is always 1.
// Latency: a request taken in cycle t sends its first address in t + 2, then one burst a cycle; a
// beat leaves 1 cycle after it came.
module axi_read_dma #(
  parameter int unsigned FifoBeats = 256,  // a power of two, at least MaxBurstBeats
  parameter int unsigned MaxBurstBeats = 64,  // at most 256
  parameter int unsigned MaxBursts = 8  // under way
) (
  input  logic         clk_i,
  input  logic         rst_ni,  // synchronous, active low
  input  logic         request_valid_i,
  output logic         request_ready_o,
  input  logic [ 39:0] request_address_i,
  input  logic [ 31:0] request_bytes_i,
  output logic         beat_valid_o,
  input  logic         beat_ready_i,
  output logic [127:0] beat_o,
  output logic         error_o,  // pulse: a beat came with an error response
  output logic         idle_o,
  output logic         ar_valid_o,
  input  logic         ar_ready_i,
  output logic [ 39:0] ar_addr_o,
  output logic [  7:0] ar_len_o,
  input  logic         r_valid_i,
  output logic         r_ready_o,
  input  logic [127:0] r_data_i,
  input  logic [  1:0] r_resp_i,
  input  logic         r_last_i
);
  localparam int unsigned CreditWidth = $clog2(FifoBeats) + 1;
  localparam int unsigned BurstsWidth = $clog2(MaxBursts + 1);

  logic [CreditWidth-1:0] credit_q;  // free places of the FIFO, but for one just freed
  logic freed_q;
  logic [BurstsWidth-1:0] bursts_q;

  logic burst_valid, send, has_room, fifo_ready, burst_done;
  logic [35:0] burst_address;
  logic [7:0] burst_len;
  burst_splitter #(.MaxBurstBeats(MaxBurstBeats)) u_splitter (
      .clk_i, .rst_ni, .request_valid_i, .request_ready_o, .request_address_i, .request_bytes_i,
      .valid_o(burst_valid), .beat_address_o(burst_address), .len_o(burst_len), .take_i(send));

  // credit + freed > len, as the carry of one addition.
  logic [CreditWidth-1:0] len;
  logic [CreditWidth+1:0] room;
  assign len = CreditWidth'(burst_len);
  assign room = {1'b0, credit_q, 1'b1} + {1'b0, ~len, freed_q};
  assign has_room = room[CreditWidth+1];
  assign send = burst_valid && (!ar_valid_o || ar_ready_i) && has_room && bursts_q != BurstsWidth'(MaxBursts);
  assign burst_done = r_valid_i && r_last_i;
  assign idle_o = !burst_valid && bursts_q == '0 && !beat_valid_o;

  always_ff @(posedge clk_i) begin
    if (!ar_valid_o || ar_ready_i) begin
      ar_addr_o <= {burst_address, 4'b0};
      ar_len_o <= burst_len;
    end
    if (!rst_ni) begin
      ar_valid_o <= 1'b0;
      credit_q <= CreditWidth'(FifoBeats);
      freed_q <= 1'b0;
      bursts_q <= '0;
      error_o <= 1'b0;
    end else begin
      if (!ar_valid_o || ar_ready_i) ar_valid_o <= send;
      credit_q <= send ? room[CreditWidth:1] : credit_q + CreditWidth'(freed_q);
      freed_q <= beat_valid_o && beat_ready_i;
      bursts_q <= bursts_q + BurstsWidth'(send) - BurstsWidth'(burst_done);
      error_o <= r_valid_i && r_resp_i[1];
    end
  end

  assign r_ready_o = 1'b1;
  stream_fifo #(.DataWidth(128), .Depth(FifoBeats)) u_fifo (
      .clk_i, .rst_ni, .valid_i(r_valid_i), .ready_o(fifo_ready), .data_i(r_data_i), .valid_o(beat_valid_o),
      .ready_i(beat_ready_i), .data_o(beat_o));

  always_ff @(posedge clk_i) if (rst_ni) assert (!r_valid_i || fifo_ready);
  initial assert (FifoBeats >= MaxBurstBeats && MaxBurstBeats <= 256);

  logic unused_bits;
  assign unused_bits = ^{r_resp_i[0], room[0]};
endmodule

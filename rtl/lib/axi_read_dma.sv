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

  logic [35:0] at_q;  // next beat
  logic [28:0] left_q;  // beats
  logic [CreditWidth-1:0] credit_q;
  logic [BurstsWidth-1:0] bursts_q;

  logic [8:0] page_left, beats;
  logic send, last_burst, fifo_ready, burst_done, beat_taken;
  assign page_left = 9'd256 - {1'b0, at_q[7:0]};
  always_comb begin
    beats = page_left > 9'(MaxBurstBeats) ? 9'(MaxBurstBeats) : page_left;
    if (left_q < {20'b0, beats}) beats = left_q[8:0];
  end
  assign send = left_q != '0 && (!ar_valid_o || ar_ready_i) && credit_q >= CreditWidth'(beats)
                && bursts_q != BurstsWidth'(MaxBursts);
  assign last_burst = send && left_q == {20'b0, beats};
  assign request_ready_o = left_q == '0 || last_burst;
  assign burst_done = r_valid_i && r_last_i;
  assign beat_taken = beat_valid_o && beat_ready_i;
  assign idle_o = left_q == '0 && bursts_q == '0 && !beat_valid_o;

  logic [28:0] request_beats;
  assign request_beats = 29'(({1'b0, request_bytes_i} + {29'b0, request_address_i[3:0]} + 33'd15) >> 4);

  always_ff @(posedge clk_i) begin
    if (request_ready_o) at_q <= request_address_i[39:4];
    else if (send) at_q <= at_q + {27'b0, beats};
    if (!ar_valid_o || ar_ready_i) begin
      ar_addr_o <= {at_q, 4'b0};
      ar_len_o <= 8'(beats - 9'd1);
    end
    if (!rst_ni) begin
      left_q <= '0;
      ar_valid_o <= 1'b0;
      credit_q <= CreditWidth'(FifoBeats);
      bursts_q <= '0;
      error_o <= 1'b0;
    end else begin
      if (request_ready_o) left_q <= request_valid_i ? request_beats : '0;
      else if (send) left_q <= left_q - {20'b0, beats};
      if (!ar_valid_o || ar_ready_i) ar_valid_o <= send;
      credit_q <= credit_q - (send ? CreditWidth'(beats) : '0) + CreditWidth'(beat_taken);
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

  logic unused_resp;
  assign unused_resp = r_resp_i[0];
endmodule

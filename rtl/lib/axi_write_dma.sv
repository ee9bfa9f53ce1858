// AXI4 write DMA: turns byte ranges into bursts and sends the beats given for them.
//
// Contract: beats of a request (whole beats that cover its bytes, with strobes) are given in order.
// No burst crosses 4 KiB or has more than MaxBurstBeats. sent_o counts bursts whose address was
// issued, answered_o those with a response (both modulo 256); a range is written when answered_o
// has reached the sent_o seen after it was split. W follows AW.
// Latency: a request taken in cycle t sends its first address in t + 2, then one burst a cycle.
module axi_write_dma #(
  parameter int unsigned MaxBurstBeats = 64,  // at most 256
  parameter int unsigned MaxBursts = 8  // under way, a power of two, at most 128
) (
  input  logic         clk_i,
  input  logic         rst_ni,  // synchronous, active low
  input  logic         request_valid_i,
  output logic         request_ready_o,
  input  logic [ 39:0] request_address_i,
  input  logic [ 31:0] request_bytes_i,
  output logic         split_o,  // no request is left to split
  output logic [  7:0] sent_o,
  output logic [  7:0] answered_o,
  output logic         error_o,  // pulse: an error response
  input  logic         beat_valid_i,
  output logic         beat_ready_o,
  input  logic [127:0] beat_i,
  input  logic [ 15:0] beat_strobe_i,
  output logic         aw_valid_o,
  input  logic         aw_ready_i,
  output logic [ 39:0] aw_addr_o,
  output logic [  7:0] aw_len_o,
  output logic         w_valid_o,
  input  logic         w_ready_i,
  output logic [127:0] w_data_o,
  output logic [ 15:0] w_strb_o,
  output logic         w_last_o,
  input  logic         b_valid_i,
  output logic         b_ready_o,
  input  logic [  1:0] b_resp_i
);
  logic burst_valid, send, lengths_ready;
  logic [35:0] burst_address;
  logic [7:0] burst_len, under_way;
  burst_splitter #(.MaxBurstBeats(MaxBurstBeats)) u_splitter (
      .clk_i, .rst_ni, .request_valid_i, .request_ready_o, .request_address_i, .request_bytes_i,
      .valid_o(burst_valid), .beat_address_o(burst_address), .len_o(burst_len), .take_i(send));

  assign under_way = sent_o - answered_o;
  assign send = burst_valid && (!aw_valid_o || aw_ready_i) && lengths_ready && under_way < 8'(MaxBursts);
  assign split_o = !burst_valid;
  assign b_ready_o = 1'b1;

  always_ff @(posedge clk_i) begin
    if (!aw_valid_o || aw_ready_i) begin
      aw_addr_o <= {burst_address, 4'b0};
      aw_len_o <= burst_len;
    end
    if (!rst_ni) begin
      aw_valid_o <= 1'b0;
      sent_o <= '0;
      answered_o <= '0;
      error_o <= 1'b0;
    end else begin
      if (!aw_valid_o || aw_ready_i) aw_valid_o <= send;
      if (send) sent_o <= sent_o + 1'b1;
      if (b_valid_i) answered_o <= answered_o + 1'b1;
      error_o <= b_valid_i && b_resp_i[1];
    end
  end

  // Lengths of the bursts whose beats are to be sent.
  logic length_valid, length_done, take;
  logic [7:0] length, count_q;
  stream_fifo #(.DataWidth(8), .Depth(MaxBursts)) u_lengths (
      .clk_i, .rst_ni, .valid_i(send), .ready_o(lengths_ready), .data_i(burst_len), .valid_o(length_valid),
      .ready_i(length_done), .data_o(length));

  assign beat_ready_o = length_valid && (!w_valid_o || w_ready_i);
  assign take = beat_valid_i && beat_ready_o;
  assign length_done = take && count_q == length;

  always_ff @(posedge clk_i) begin
    if (take) begin
      w_data_o <= beat_i;
      w_strb_o <= beat_strobe_i;
      w_last_o <= length_done;
    end
    if (!rst_ni) begin
      w_valid_o <= 1'b0;
      count_q <= '0;
    end else begin
      if (!w_valid_o || w_ready_i) w_valid_o <= take;
      if (take) count_q <= length_done ? '0 : count_q + 1'b1;
    end
  end

  logic unused_resp;
  assign unused_resp = b_resp_i[0];
endmodule

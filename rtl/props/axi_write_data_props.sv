// AXI4's rules for a master's write data; bound to the write DMA.
//
// Contract: a beat stays until it is taken; beats come only for bursts whose address was shown, as
// many as the burst has, the last one marked.
module axi_write_data_props #(
  parameter int unsigned MaxBursts = 8  // under way, a power of two
) (
  input logic         clk_i,
  input logic         rst_ni,  // synchronous, active low
  input logic         address_valid_i,
  input logic         address_ready_i,
  input logic [  7:0] len_i,  // beats - 1
  input logic         valid_i,
  input logic         ready_i,
  input logic [127:0] data_i,
  input logic [ 15:0] strobe_i,
  input logic         last_i
);
  // An address may be shown before those under way are answered.
  localparam int unsigned Depth = 2 * MaxBursts;
  localparam int unsigned IndexWidth = $clog2(Depth);

  logic [7:0] lengths_q [Depth];
  logic [IndexWidth:0] shown_q, sent_q;  // bursts
  logic [7:0] beat_q;
  logic address_waiting_q, waiting_q, last_q, is_last;
  logic [127:0] data_q;
  logic [15:0] strobe_q;
  assign is_last = beat_q == lengths_q[sent_q[IndexWidth-1:0]];

  always_ff @(posedge clk_i) begin
    data_q <= data_i;
    strobe_q <= strobe_i;
    last_q <= last_i;
    if (address_valid_i && !address_waiting_q) lengths_q[shown_q[IndexWidth-1:0]] <= len_i;
    if (!rst_ni) begin
      address_waiting_q <= 1'b0;
      waiting_q <= 1'b0;
      shown_q <= '0;
      sent_q <= '0;
      beat_q <= '0;
    end else begin
      address_waiting_q <= address_valid_i && !address_ready_i;
      waiting_q <= valid_i && !ready_i;
      if (address_valid_i && !address_waiting_q) shown_q <= shown_q + 1'b1;
      if (valid_i && ready_i) begin
        beat_q <= is_last ? '0 : beat_q + 1'b1;
        if (is_last) sent_q <= sent_q + 1'b1;
      end
      data_stays: assert (!waiting_q || valid_i);
      data_keeps_its_value: assert (!waiting_q || (data_i == data_q && strobe_i == strobe_q && last_i == last_q));
      if (valid_i) begin
        data_has_an_address: assert (sent_q != shown_q);
        last_beat_is_marked: assert (last_i == is_last);
      end
    end
  end
endmodule

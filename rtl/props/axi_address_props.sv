// AXI4's rules for a master's addresses, of reads or of writes; bound to the DMAs and the read mux.
//
// Contract: an address stays, with its length, until it is taken; bursts are of whole 16-byte
// beats, at most MaxBurstBeats, within 4 KiB; at most MaxBursts are under way.
module axi_address_props #(
  parameter int unsigned MaxBurstBeats = 256,  // at most 256
  parameter int unsigned MaxBursts = 8
) (
  input logic        clk_i,
  input logic        rst_ni,  // synchronous, active low
  input logic        valid_i,
  input logic        ready_i,
  input logic [39:0] addr_i,
  input logic [ 7:0] len_i,  // beats - 1
  input logic        answered_i  // the last beat of a read, or a write's response, moves
);
  logic waiting_q;
  logic [39:0] addr_q;
  logic [7:0] len_q;
  logic [31:0] bursts_q;
  logic taken;
  assign taken = valid_i && ready_i;

  always_ff @(posedge clk_i) begin
    addr_q <= addr_i;
    len_q <= len_i;
    if (!rst_ni) begin
      waiting_q <= 1'b0;
      bursts_q <= '0;
    end else begin
      waiting_q <= valid_i && !ready_i;
      bursts_q <= bursts_q + 32'(taken) - 32'(answered_i);
      address_stays: assert (!waiting_q || valid_i);
      address_keeps_its_value: assert (!waiting_q || (addr_i == addr_q && len_i == len_q));
      if (valid_i) begin
        burst_is_aligned: assert (addr_i[3:0] == '0);
        burst_is_short_enough: assert (32'(len_i) < MaxBurstBeats);
        burst_stays_in_4_kib: assert ({1'b0, addr_i[11:4]} + {1'b0, len_i} < 9'd256);
      end
      bursts_are_few_enough: assert (!taken || bursts_q < MaxBursts);
      answer_has_a_burst: assert (!answered_i || bursts_q != '0);
    end
  end

  initial assert (MaxBurstBeats >= 1 && MaxBurstBeats <= 256);
endmodule

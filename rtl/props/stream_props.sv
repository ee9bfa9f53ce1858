// Rules of a stream's buffer; bound to stream_fifo and stream_skid.
//
// Contract: it holds at most Depth beats and never takes more, gives only beats that it has taken,
// and a beat stays at its output until it is taken there.
module stream_props #(
  parameter int unsigned DataWidth = 8,  // bits per beat
  parameter int unsigned Depth = 8  // beats
) (
  input logic                 clk_i,
  input logic                 rst_ni,  // synchronous, active low
  input logic                 in_valid_i,
  input logic                 in_ready_i,
  input logic                 out_valid_i,
  input logic                 out_ready_i,
  input logic [DataWidth-1:0] out_data_i
);
  logic [31:0] held_q;
  logic waiting_q, put, got;
  logic [DataWidth-1:0] data_q;
  assign put = in_valid_i && in_ready_i;
  assign got = out_valid_i && out_ready_i;

  always_ff @(posedge clk_i) begin
    data_q <= out_data_i;
    if (!rst_ni) begin
      held_q <= '0;
      waiting_q <= 1'b0;
    end else begin
      held_q <= held_q + 32'(put) - 32'(got);
      waiting_q <= out_valid_i && !out_ready_i;
      no_overflow: assert (!put || held_q < Depth);
      no_underflow: assert (!out_valid_i || held_q != '0);
      beat_stays: assert (!waiting_q || (out_valid_i && out_data_i == data_q));
    end
  end
endmodule

// First-word-fall-through FIFO in distributed RAM.
//
// Latency: a beat is at the output 1 cycle after it was taken; full rate. ready_o depends on
// registers only.
module stream_fifo #(
  parameter int unsigned DataWidth = 8,  // bits per beat
  parameter int unsigned Depth = 8,  // beats, a power of two, at least 2
  localparam int unsigned PointerWidth = $clog2(Depth)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,  // synchronous, active low
  input  logic                 valid_i,
  output logic                 ready_o,
  input  logic [DataWidth-1:0] data_i,
  output logic                 valid_o,
  input  logic                 ready_i,
  output logic [DataWidth-1:0] data_o
);
  (* ram_style = "distributed" *) logic [DataWidth-1:0] memory_q [Depth];
  logic [PointerWidth:0] write_q, read_q;

  assign ready_o = (write_q ^ read_q) != {1'b1, {PointerWidth{1'b0}}};
  assign valid_o = write_q != read_q;
  assign data_o = memory_q[read_q[PointerWidth-1:0]];

  always_ff @(posedge clk_i) begin
    if (valid_i && ready_o) memory_q[write_q[PointerWidth-1:0]] <= data_i;
    if (!rst_ni) begin
      write_q <= '0;
      read_q <= '0;
    end else begin
      if (valid_i && ready_o) write_q <= write_q + 1'b1;
      if (valid_o && ready_i) read_q <= read_q + 1'b1;
    end
  end

  initial assert (Depth >= 2 && (Depth & (Depth - 1)) == 0);
endmodule

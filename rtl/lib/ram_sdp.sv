// Simple dual-port RAM, one write and one read port, inferable as block RAM.
//
// Latency: data of read_addr_i appears 2 cycles later (RAM register, output register). A read in
// the cycle of a write to the same word gives the old value.
module ram_sdp #(
  parameter int unsigned DataWidth = 32,  // bits
  parameter int unsigned Depth = 64,  // words, at least 2
  localparam int unsigned AddrWidth = $clog2(Depth)
) (
  input  logic                 clk_i,
  input  logic                 write_i,
  input  logic [AddrWidth-1:0] write_addr_i,
  input  logic [DataWidth-1:0] write_data_i,
  input  logic [AddrWidth-1:0] read_addr_i,
  output logic [DataWidth-1:0] read_data_o
);
  (* ram_style = "block" *) logic [DataWidth-1:0] memory_q [Depth];
  logic [DataWidth-1:0] read_q;

  always_ff @(posedge clk_i) begin
    if (write_i) memory_q[write_addr_i] <= write_data_i;
    read_q <= memory_q[read_addr_i];
    read_data_o <= read_q;
  end
endmodule

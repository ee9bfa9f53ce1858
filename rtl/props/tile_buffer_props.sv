// Addresses of the buffers on chip; bound to tile_compute and tile_engine.
//
// Contract: whoever writes or reads a buffer does so within its words.
module tile_buffer_props #(
  parameter int unsigned Words = 256
) (
  input logic        clk_i,
  input logic        rst_ni,  // synchronous, active low
  input logic        access_i,
  input logic [20:0] address_i
);
  always_ff @(posedge clk_i) begin
    if (rst_ni) address_is_inside: assert (!access_i || 32'(address_i) < Words);
  end
endmodule

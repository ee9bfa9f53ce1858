// The seven token counters by which the units wait for each other.
//
// Contract: each counter has one giver and one taker; a counter holds up to 255. Latency: what is
// given in a cycle is available in the next.
module tile_tokens #(
  localparam int unsigned Count = tile_pkg::TokenCount
) (
  input  logic             clk_i,
  input  logic             rst_ni,  // synchronous, active low
  input  logic             clear_i,
  input  logic [Count-1:0] give_i,
  input  logic [Count-1:0] take_i,
  output logic [Count-1:0] available_o
);
  for (genvar t = 0; t < Count; t++) begin : gen_counter
    logic [7:0] count_q;
    assign available_o[t] = count_q != '0;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) count_q <= '0;
      else count_q <= count_q + 8'(give_i[t]) - 8'(take_i[t]);
    end
  end
endmodule

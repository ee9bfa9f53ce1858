// Counts the tokens on its own; bound to tile_tokens.
//
// Contract: no token is taken that was not given, no counter passes 255, and what is available is
// what was given and not taken.
module tile_tokens_props #(
  localparam int unsigned Count = tile_pkg::TokenCount
) (
  input logic             clk_i,
  input logic             rst_ni,  // synchronous, active low
  input logic             clear_i,
  input logic [Count-1:0] give_i,
  input logic [Count-1:0] take_i,
  input logic [Count-1:0] available_i
);
  logic [Count-1:0] held, full;
  for (genvar t = 0; t < Count; t++) begin : gen_counter
    logic [31:0] held_q;
    assign held[t] = held_q != '0;
    assign full[t] = held_q >= 32'd255;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) held_q <= '0;
      else held_q <= held_q + 32'(give_i[t]) - 32'(take_i[t]);
    end
  end

  always_ff @(posedge clk_i) begin
    if (rst_ni && !clear_i) begin
      token_was_given: assert ((take_i & ~held) == '0);
      counter_has_room: assert ((give_i & ~take_i & full) == '0);
      counter_is_right: assert (available_i == held);
    end
  end
endmodule

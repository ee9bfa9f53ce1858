// The seven token counters by which the units wait for each other.
//
// Contract: each counter has one giver and one taker; those of free pages begin at 2. A counter holds
// up to 255. Latency: what is given in a cycle is available in the next.
module fusion_tokens #(
  localparam int unsigned Count = fusion_pkg::TokenCount
) (
  input  logic             clk_i,
  input  logic             rst_ni,  // synchronous, active low
  input  logic             clear_i,
  input  logic [Count-1:0] give_i,
  input  logic [Count-1:0] take_i,
  output logic [Count-1:0] available_o
);
  for (genvar t = 0; t < Count; t++) begin : gen_counter
    localparam bit IsOfFreePages = t == fusion_pkg::TokenComputeToLoad || t == fusion_pkg::TokenComputeToWeight
                                   || t == fusion_pkg::TokenStoreToCompute;
    logic [7:0] count_q;
    assign available_o[t] = count_q != '0;
    always_ff @(posedge clk_i) begin
      if (!rst_ni || clear_i) count_q <= IsOfFreePages ? 8'd2 : 8'd0;
      else count_q <= count_q + 8'(give_i[t]) - 8'(take_i[t]);
      if (rst_ni) begin
        assert (!take_i[t] || available_o[t]);
        assert (!(give_i[t] && !take_i[t]) || count_q != '1);
      end
    end
  end
endmodule

// Shares one AXI4 read port among several masters; answers come back in the order of the addresses.
//
// Contract: round robin by burst; at most Depth bursts under way. Masters must take beats at once
// (r_ready is theirs and passes through). Latency: 1 cycle for addresses, none for data.
module axi_read_mux #(
  parameter int unsigned Masters = 2,
  parameter int unsigned Depth = 32,  // bursts under way, a power of two
  localparam int unsigned IndexWidth = Masters > 1 ? $clog2(Masters) : 1
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,  // synchronous, active low
  input  logic [   Masters-1:0] ar_valid_i,
  output logic [   Masters-1:0] ar_ready_o,
  input  logic [40*Masters-1:0] ar_addr_i,
  input  logic [ 8*Masters-1:0] ar_len_i,
  output logic [   Masters-1:0] r_valid_o,
  input  logic [   Masters-1:0] r_ready_i,
  output logic                  ar_valid_o,
  input  logic                  ar_ready_i,
  output logic [          39:0] ar_addr_o,
  output logic [           7:0] ar_len_o,
  input  logic                  r_valid_i,
  output logic                  r_ready_o,
  input  logic                  r_last_i
);
  logic [IndexWidth-1:0] turn_q, chosen, front;
  logic any, take, order_ready, order_valid;

  // The first master with an address, from the one whose turn it is.
  always_comb begin
    chosen = '0;
    any = 1'b0;
    for (int unsigned k = 0; k < Masters; k++) begin
      if (!any && k >= 32'(turn_q) && ar_valid_i[k]) begin
        chosen = IndexWidth'(k);
        any = 1'b1;
      end
    end
    for (int unsigned k = 0; k < Masters; k++) begin
      if (!any && ar_valid_i[k]) begin
        chosen = IndexWidth'(k);
        any = 1'b1;
      end
    end
  end
  assign take = any && (!ar_valid_o || ar_ready_i) && order_ready;
  for (genvar k = 0; k < Masters; k++) begin : gen_master
    assign ar_ready_o[k] = take && chosen == IndexWidth'(k);
    assign r_valid_o[k] = r_valid_i && order_valid && front == IndexWidth'(k);
  end
  assign r_ready_o = order_valid && r_ready_i[front];

  always_ff @(posedge clk_i) begin
    if (!ar_valid_o || ar_ready_i) begin
      ar_addr_o <= ar_addr_i[40*chosen+:40];
      ar_len_o <= ar_len_i[8*chosen+:8];
    end
    if (!rst_ni) begin
      ar_valid_o <= 1'b0;
      turn_q <= '0;
    end else begin
      if (!ar_valid_o || ar_ready_i) ar_valid_o <= take;
      if (take) turn_q <= chosen == IndexWidth'(Masters - 1) ? '0 : chosen + 1'b1;
    end
  end

  stream_fifo #(.DataWidth(IndexWidth), .Depth(Depth)) u_order (
      .clk_i, .rst_ni, .valid_i(take), .ready_o(order_ready), .data_i(chosen), .valid_o(order_valid),
      .ready_i(r_valid_i && r_ready_o && r_last_i), .data_o(front));
endmodule

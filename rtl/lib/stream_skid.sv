// Cuts all combinational paths of a stream.
//
// Latency: 1 cycle, holds 2 beats, full rate.
module stream_skid #(
  parameter int unsigned DataWidth = 8  // bits per beat
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
  logic                 spare_valid_q, out_valid_q;
  logic [DataWidth-1:0] spare_q, out_q;

  assign ready_o = !spare_valid_q;
  assign valid_o = out_valid_q;
  assign data_o = out_q;

  always_ff @(posedge clk_i) begin
    if (!out_valid_q || ready_i) out_q <= spare_valid_q ? spare_q : data_i;
    if (!spare_valid_q) spare_q <= data_i;
    if (!rst_ni) begin
      spare_valid_q <= 1'b0;
      out_valid_q <= 1'b0;
    end else if (!out_valid_q || ready_i) begin
      out_valid_q <= spare_valid_q || valid_i;
      spare_valid_q <= 1'b0;
    end else if (valid_i) begin
      spare_valid_q <= 1'b1;
    end
  end
endmodule

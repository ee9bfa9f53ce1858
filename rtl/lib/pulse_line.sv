// Delays control pulses by a fixed number of cycles; cleared by reset.
//
// Latency: Stages cycles, at least 1.
module pulse_line #(
  parameter int unsigned DataWidth = 1,  // pulses side by side
  parameter int unsigned Stages = 2  // cycles, at least 1
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,  // synchronous, active low
  input  logic [DataWidth-1:0] data_i,
  output logic [DataWidth-1:0] data_o
);
  logic [DataWidth*Stages-1:0] line_q;

  if (Stages == 1) begin : gen_one
    always_ff @(posedge clk_i) begin
      if (!rst_ni) line_q <= '0;
      else line_q <= data_i;
    end
  end else begin : gen_line
    always_ff @(posedge clk_i) begin
      if (!rst_ni) line_q <= '0;
      else line_q <= {line_q[DataWidth*(Stages-1)-1:0], data_i};
    end
  end
  assign data_o = line_q[DataWidth*(Stages-1)+:DataWidth];
endmodule

// Delays a word by a fixed number of cycles; without reset, so that it becomes shift-register LUTs.
//
// Latency: Stages cycles, 0 being a wire.
module delay_line #(
  parameter int unsigned DataWidth = 8,  // bits
  parameter int unsigned Stages = 2  // cycles
) (
  input  logic                 clk_i,
  input  logic [DataWidth-1:0] data_i,
  output logic [DataWidth-1:0] data_o
);
  if (Stages == 0) begin : gen_wire
    logic unused_clk;
    assign unused_clk = clk_i;
    assign data_o = data_i;
  end else if (Stages == 1) begin : gen_one
    always_ff @(posedge clk_i) data_o <= data_i;
  end else begin : gen_line
    logic [DataWidth*Stages-1:0] line_q;
    always_ff @(posedge clk_i) line_q <= {line_q[DataWidth*(Stages-1)-1:0], data_i};
    assign data_o = line_q[DataWidth*(Stages-1)+:DataWidth];
  end
endmodule

// Weight buffer: words of Pif * Pof weights, one memory for each element i, read (i mod Skew)
// cycles after the first.
//
// That skew is the array's; delaying the address costs less than delaying the weights.
// Latency: element i of w_o 6 + (i mod Skew) cycles after addr_i.
module tile_weight_buffer #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Pof = 4,
  parameter int unsigned Bits = 16,  // of a weight
  parameter int unsigned Skew = 2,  // length of the array's cascades
  parameter int unsigned Depth = 256,  // words
  localparam int unsigned AddrWidth = $clog2(Depth)
) (
  input  logic                  clk_i,
  input  logic                  write_i,
  input  logic [          15:0] write_addr_i,
  input  logic [Bits*Pif*Pof-1:0] write_data_i,  // element i of lane l at l * Pif + i
  input  logic [          15:0] addr_i,
  output logic [Bits*Pif*Pof-1:0] w_o  // element i of lane l at i * Pof + l
);
  // Memory i reads at stage 4 + (i mod Skew).
  logic [AddrWidth*(Skew+4)-1:0] addr_q;
  always_ff @(posedge clk_i) addr_q <= {addr_q[AddrWidth*(Skew+3)-1:0], addr_i[AddrWidth-1:0]};

  for (genvar i = 0; i < Pif; i++) begin : gen_element
    logic [Bits*Pof-1:0] data;
    for (genvar l = 0; l < Pof; l++) begin : gen_lane
      assign data[Bits*l+:Bits] = write_data_i[Bits*(l*Pif+i)+:Bits];
    end
    ram_sdp #(.DataWidth(Bits * Pof), .Depth(Depth)) u_ram (
        .clk_i, .write_i, .write_addr_i(write_addr_i[AddrWidth-1:0]), .write_data_i(data),
        .read_addr_i(addr_q[AddrWidth*(i%Skew+3)+:AddrWidth]), .read_data_o(w_o[Bits*Pof*i+:Bits*Pof]));
  end

  logic unused_addr;
  assign unused_addr = ^{write_addr_i, addr_i, addr_q};
endmodule

// Parameter buffer: words of Pof records; EpilogueLanes records of two consecutive words are read
// at once.
//
// Even and odd words lie in different memories, so that a record of GDN's norm and one of its
// output come in one cycle. Records keep 72 bits: bias 48, multiplier 18, pre_shift 6; GDN's
// multiplier of 32 bits has part of the bias. The constants of a word (its records 0 and 1) are
// kept a second time, because COMPUTE instructions read them while the epilogue works for the one
// before.
// Latency: records 3 cycles after row_valid of the request, constants 2 cycles after their address.
module tile_parameter_buffer #(
  parameter int unsigned Pof = 4,
  parameter int unsigned EpilogueLanes = 2,
  parameter int unsigned Depth = 64,  // words
  localparam int unsigned Rows = Pof / EpilogueLanes,  // reads per word
  localparam int unsigned RecordWidth = $clog2(Pof),
  localparam int unsigned RowWidth = Rows > 1 ? $clog2(Rows) : 1
) (
  input  logic                        clk_i,
  input  logic                        write_i,
  input  logic [                15:0] write_word_i,
  input  logic [     RecordWidth-1:0] write_record_i,
  input  logic [               127:0] write_data_i,
  input  logic [                15:0] word_i,
  input  logic [        RowWidth-1:0] row_i,
  output logic [72*EpilogueLanes-1:0] first_o,  // records of word_i: {pre_shift, multiplier, bias}
  output logic [72*EpilogueLanes-1:0] second_o,  // records of word_i + 1
  input  logic [                15:0] constants_word_i,
  output tile_pkg::constants_t        constants_o
);
  localparam int unsigned RamDepth = (Depth + 1) / 2 * Rows;
  localparam int unsigned AddrWidth = $clog2(RamDepth);
  localparam int unsigned WordWidth = $clog2(Depth);
  localparam int unsigned LaneBits = $clog2(EpilogueLanes);

  // A multiplier above 18 bits (GDN's, whose bias is 0) keeps its upper bits in the bias; else
  // nothing is changed there.
  logic [71:0] record;
  logic [13:0] upper;
  assign upper = write_data_i[95:82] ^ {14{write_data_i[81]}};
  assign record = {write_data_i[101:96], write_data_i[81:64], write_data_i[47:14], write_data_i[13:0] ^ upper};

  logic [AddrWidth-1:0] write_addr, s1_even_q, s1_odd_q;
  assign write_addr = AddrWidth'({1'b0, write_word_i[15:1]} * 16'(Rows)) + AddrWidth'(16'(write_record_i) >> LaneBits);

  // Of words w and w + 1, the even one is number ceil(w / 2) of its memory, the odd one floor(w /
  // 2).
  logic s1_odd_first_q, s3_odd_first;
  always_ff @(posedge clk_i) begin
    s1_even_q <= AddrWidth'(({1'b0, word_i[15:1]} + {15'b0, word_i[0]}) * 16'(Rows)) + AddrWidth'(row_i);
    s1_odd_q <= AddrWidth'({1'b0, word_i[15:1]} * 16'(Rows)) + AddrWidth'(row_i);
    s1_odd_first_q <= word_i[0];
  end
  delay_line #(.DataWidth(1), .Stages(2)) u_odd (
      .clk_i, .data_i(s1_odd_first_q), .data_o(s3_odd_first));

  logic [72*EpilogueLanes-1:0] even, odd;
  for (genvar e = 0; e < EpilogueLanes; e++) begin : gen_lane
    logic here;
    assign here = write_i && (write_record_i & RecordWidth'(EpilogueLanes - 1)) == RecordWidth'(e);
    ram_sdp #(.DataWidth(72), .Depth(RamDepth)) u_even (
        .clk_i, .write_i(here && !write_word_i[0]), .write_addr_i(write_addr), .write_data_i(record),
        .read_addr_i(s1_even_q), .read_data_o(even[72*e+:72]));
    ram_sdp #(.DataWidth(72), .Depth(RamDepth)) u_odd (
        .clk_i, .write_i(here && write_word_i[0]), .write_addr_i(write_addr), .write_data_i(record),
        .read_addr_i(s1_odd_q), .read_data_o(odd[72*e+:72]));
  end
  assign first_o = s3_odd_first ? odd : even;
  assign second_o = s3_odd_first ? even : odd;

  for (genvar r = 0; r < 2; r++) begin : gen_constants
    ram_sdp #(.DataWidth(70), .Depth(Depth)) u_ram (
        .clk_i, .write_i(write_i && write_record_i == RecordWidth'(r)), .write_addr_i(write_word_i[WordWidth-1:0]),
        .write_data_i({write_data_i[69:64], write_data_i[63:0]}), .read_addr_i(constants_word_i[WordWidth-1:0]),
        .read_data_o(constants_o[70*r+:70]));
  end

  logic unused_bits;
  assign unused_bits = ^{write_data_i[127:102], write_word_i, constants_word_i};
endmodule

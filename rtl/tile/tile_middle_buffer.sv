// Middle buffer: P banks of words of EpilogueLanes elements, read by the array (all banks) and by
// the epilogue (one bank).
//
// Two copies of the memory, because both read in every cycle. The array reads array words of Pif
// elements: part of a word, or several words that follow each other (then an address is a multiple
// of them).
// Latency: x_o 5 cycles after column_i, word_o 2 cycles after word_addr_i.
module tile_middle_buffer #(
  parameter int unsigned Pif = 2,
  parameter int unsigned EpilogueLanes = 2,
  parameter int unsigned Pixels = 4,
  parameter int unsigned Depth = 256,  // words per bank
  localparam int unsigned AddrWidth = $clog2(Depth),
  localparam int unsigned PixelWidth = Pixels > 1 ? $clog2(Pixels) : 1
) (
  input  logic                        clk_i,
  input  logic                        write_i,
  input  logic [      PixelWidth-1:0] write_bank_i,
  input  logic [                15:0] write_addr_i,
  input  logic [16*EpilogueLanes-1:0] write_data_i,
  input  logic [                19:0] column_i,  // of array words
  output logic [   16*Pif*Pixels-1:0] x_o,
  input  logic [      PixelWidth-1:0] word_bank_i,
  input  logic [                15:0] word_addr_i,
  output logic [16*EpilogueLanes-1:0] word_o
);
  localparam int unsigned Split = Pif > EpilogueLanes ? Pif / EpilogueLanes : 1;  // words per array word
  localparam int unsigned Parts = Pif > EpilogueLanes ? 1 : EpilogueLanes / Pif;  // array words per word
  localparam int unsigned SplitBits = $clog2(Split);
  localparam int unsigned PartBits = $clog2(Parts);
  localparam int unsigned WordWidth = 16 * EpilogueLanes;
  localparam int unsigned RamDepth = Depth / Split;
  localparam int unsigned RamAddrWidth = $clog2(RamDepth);

  logic [19:0] s2_column, s4_column;
  delay_line #(.DataWidth(20), .Stages(2)) u_s2 (.clk_i, .data_i(column_i), .data_o(s2_column));
  delay_line #(.DataWidth(20), .Stages(2)) u_s4 (.clk_i, .data_i(s2_column), .data_o(s4_column));

  logic [RamAddrWidth-1:0] read_addr, write_addr;
  assign read_addr = RamAddrWidth'(s2_column >> PartBits);
  assign write_addr = RamAddrWidth'(write_addr_i >> SplitBits);

  for (genvar p = 0; p < Pixels; p++) begin : gen_bank
    logic [WordWidth*Split-1:0] word;
    for (genvar s = 0; s < Split; s++) begin : gen_split
      logic here;
      assign here = (write_addr_i & 16'(Split - 1)) == 16'(s);
      ram_sdp #(.DataWidth(WordWidth), .Depth(RamDepth)) u_ram (
          .clk_i, .write_i(write_i && write_bank_i == PixelWidth'(p) && here), .write_addr_i(write_addr),
          .write_data_i, .read_addr_i(read_addr), .read_data_o(word[WordWidth*s+:WordWidth]));
    end
    if (Parts == 1) begin : gen_whole
      always_ff @(posedge clk_i) x_o[16*Pif*p+:16*Pif] <= word;
    end else begin : gen_part
      always_ff @(posedge clk_i) x_o[16*Pif*p+:16*Pif] <= word[16*Pif*s4_column[PartBits-1:0]+:16*Pif];
    end
  end

  if (Pixels > 1) begin : gen_copy
    ram_sdp #(.DataWidth(WordWidth), .Depth(Pixels << AddrWidth)) u_copy (
        .clk_i, .write_i, .write_addr_i({write_bank_i, write_addr_i[AddrWidth-1:0]}), .write_data_i,
        .read_addr_i({word_bank_i, word_addr_i[AddrWidth-1:0]}), .read_data_o(word_o));
  end else begin : gen_copy_of_one
    ram_sdp #(.DataWidth(WordWidth), .Depth(Depth)) u_copy (
        .clk_i, .write_i, .write_addr_i(write_addr_i[AddrWidth-1:0]), .write_data_i,
        .read_addr_i(word_addr_i[AddrWidth-1:0]), .read_data_o(word_o));
  end

  logic unused_bits;
  assign unused_bits = ^{s2_column, s4_column, write_addr_i, word_addr_i, word_bank_i};
endmodule

// Input buffer: P banks of words of Pif elements; gives each pixel lane its word of a step.
//
// Bank (bj, bi) serves pixel lane ((bj - row_bank) mod Poy, (bi - column_bank) mod Pox); banks
// before the first tap's hold the next row (column) group's words. Latency: x_o 5 cycles after the
// step.
module tile_input_buffer #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned Bits = 16,  // of an element
  parameter int unsigned Depth = 256,  // words per bank
  localparam int unsigned Pixels = Poy * Pox,
  localparam int unsigned AddrWidth = $clog2(Depth)
) (
  input  logic                     clk_i,
  input  logic [       Pixels-1:0] write_i,  // by bank
  input  logic [             15:0] write_addr_i,
  input  logic [     Bits*Pif-1:0] write_data_i,
  input  logic [             19:0] row_i,
  input  logic [             19:0] column_i,
  input  logic [             19:0] row_step_i,
  input  logic [             19:0] column_step_i,
  input  logic [              5:0] row_bank_i,
  input  logic [              5:0] column_bank_i,
  output logic [Bits*Pif*Pixels-1:0] x_o
);
  // Stage 1: the four addresses that occur.
  logic [AddrWidth-1:0] s1_addr_q, s1_addr_x_q, s1_addr_y_q, s1_addr_yx_q;
  logic [5:0] s1_row_bank_q, s1_column_bank_q, s4_row_bank, s4_column_bank;

  always_ff @(posedge clk_i) begin
    s1_addr_q <= AddrWidth'(row_i + column_i);
    s1_addr_x_q <= AddrWidth'(row_i + column_i + column_step_i);
    s1_addr_y_q <= AddrWidth'(row_i + column_i + row_step_i);
    s1_addr_yx_q <= AddrWidth'(row_i + column_i + row_step_i + column_step_i);
    s1_row_bank_q <= row_bank_i;
    s1_column_bank_q <= column_bank_i;
  end

  delay_line #(.DataWidth(12), .Stages(3)) u_banks (
      .clk_i, .data_i({s1_row_bank_q, s1_column_bank_q}), .data_o({s4_row_bank, s4_column_bank}));

  logic [Bits*Pif*Pixels-1:0] s4_word;
  for (genvar bj = 0; bj < Poy; bj++) begin : gen_row
    for (genvar bi = 0; bi < Pox; bi++) begin : gen_bank
      logic [AddrWidth-1:0] s2_addr_q;
      logic wraps_y, wraps_x;
      assign wraps_y = s1_row_bank_q > bj;
      assign wraps_x = s1_column_bank_q > bi;
      always_ff @(posedge clk_i) begin
        if (wraps_y) s2_addr_q <= wraps_x ? s1_addr_yx_q : s1_addr_y_q;
        else s2_addr_q <= wraps_x ? s1_addr_x_q : s1_addr_q;
      end
      ram_sdp #(.DataWidth(Bits * Pif), .Depth(Depth)) u_ram (
          .clk_i, .write_i(write_i[bj*Pox+bi]), .write_addr_i(write_addr_i[AddrWidth-1:0]),
          .write_data_i, .read_addr_i(s2_addr_q),
          .read_data_o(s4_word[Bits*Pif*(bj*Pox+bi)+:Bits*Pif]));
    end
  end

  // The rows of banks, then the banks of each row.
  localparam int unsigned RowWidth = Poy > 1 ? $clog2(Poy) : 1;
  localparam int unsigned ColumnWidth = Pox > 1 ? $clog2(Pox) : 1;
  logic [Bits*Pif*Pixels-1:0] s4_rows, s4_x;
  rotator #(.Count(Poy), .UnitBits(Bits * Pif * Pox)) u_rows (
      .amount_i(s4_row_bank[RowWidth-1:0]), .data_i(s4_word), .data_o(s4_rows));
  for (genvar j = 0; j < Poy; j++) begin : gen_lane_row
    rotator #(.Count(Pox), .UnitBits(Bits * Pif)) u_columns (
        .amount_i(s4_column_bank[ColumnWidth-1:0]), .data_i(s4_rows[Bits*Pif*Pox*j+:Bits*Pif*Pox]),
        .data_o(s4_x[Bits*Pif*Pox*j+:Bits*Pif*Pox]));
  end
  always_ff @(posedge clk_i) x_o <= s4_x;

  logic unused_bits;
  assign unused_bits = ^{write_addr_i, s4_row_bank, s4_column_bank};
endmodule

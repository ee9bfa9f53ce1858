// The operand side of the array: step records, weights and input words, from a step's issue to its operands.
//
// Contract: writes come from the load and weight units. Latency: a step issued in cycle t has its
// operands in t + fusion_pkg::OperandLatency.
module fusion_operands #(
  parameter int unsigned Rows = 4,
  parameter int unsigned Columns = 4,
  parameter int unsigned ColumnSets = 1,
  parameter int unsigned InputWords = 64,
  parameter int unsigned WeightWords = 16,
  parameter int unsigned StepWords = 16,
  localparam int unsigned InputWidth = $clog2(InputWords / 2),  // within a page
  localparam int unsigned WeightWidth = $clog2(WeightWords / 2),
  localparam int unsigned StepWidth = $clog2(StepWords / 2),
  localparam int unsigned Copies = Rows * ColumnSets
) (
  input  logic                       clk_i,
  input  logic                       input_write_i,
  input  logic [     InputWidth:0]   input_addr_i,  // page, word
  input  logic [             63:0]   input_data_i,
  input  logic                       weight_write_i,
  input  logic                       step_write_i,
  input  logic                       write_page_i,
  input  logic [             15:0]   write_addr_i,
  input  logic [             10:0]   write_slice_i,
  input  logic [            127:0]   write_data_i,
  // Of the instruction that runs.
  input  logic                       source_page_i,
  input  logic                       weight_page_i,
  input  logic [              2:0]   groups_log2_i,
  input  logic                       is_channels_i,
  // Of a step.
  input  logic [             11:0]   step_addr_i,
  input  logic [        20*Rows-1:0] origins_i,
  input  logic [             15:0]   block_word_i,
  output logic [   32*Copies-1:0]    x_o,  // [set][row]
  output logic [32*Rows*Columns-1:0] w_o,  // [row][column]
  output logic [              1:0]   u_log2_o,
  output logic [              1:0]   v_log2_o,
  output logic                       x_signed_o,
  output logic                       w_signed_o,
  output logic [              3:0]   shift_o
);
  // Cycle 0 to 2: the record.
  logic [31:0] head;
  logic [20*Copies-1:0] offsets;
  ram_sdp #(.DataWidth(32), .Depth(StepWords)) u_heads (
      .clk_i, .write_i(step_write_i && write_slice_i == '0), .write_addr_i({write_page_i, write_addr_i[StepWidth-1:0]}),
      .write_data_i(write_data_i[31:0]), .read_addr_i({weight_page_i, step_addr_i[StepWidth-1:0]}), .read_data_o(head));
  for (genvar k = 0; k < Copies; k++) begin : gen_offset
    ram_sdp #(.DataWidth(20), .Depth(StepWords)) u_offsets (
        .clk_i, .write_i(step_write_i && write_slice_i == 11'(1 + k / 4)),
        .write_addr_i({write_page_i, write_addr_i[StepWidth-1:0]}), .write_data_i(write_data_i[32*(k%4)+:20]),
        .read_addr_i({weight_page_i, step_addr_i[StepWidth-1:0]}), .read_data_o(offsets[20*k+:20]));
  end
  logic [20*Rows-1:0] origins;
  logic [15:0] block_word;
  delay_line #(.DataWidth(20 * Rows), .Stages(2)) u_origins (.clk_i, .data_i(origins_i), .data_o(origins));
  delay_line #(.DataWidth(16), .Stages(2)) u_block_word (.clk_i, .data_i(block_word_i), .data_o(block_word));

  // Cycle 3: digit addresses and the weights' word. 4: addresses of both halves of the input buffer.
  logic [5*Copies-1:0] places;  // which half comes first, digit
  logic [15:0] weight_word_q;
  logic [WeightWidth-1:0] weight_addr_q;
  logic [InputWidth*Copies-1:0] even_addrs, odd_addrs;
  for (genvar k = 0; k < Copies; k++) begin : gen_address
    logic [19:0] address_q;
    logic [15:0] even;  // of words of 32 bits
    assign even = address_q[19:4] + 16'd1;
    assign places[5*k+:5] = address_q[4:0];
    always_ff @(posedge clk_i) begin
      address_q <= offsets[20*k+:20] + (origins[20*(k%Rows)+:20] << head[1:0]);
      even_addrs[InputWidth*k+:InputWidth] <= even[1+:InputWidth];
      odd_addrs[InputWidth*k+:InputWidth] <= address_q[5+:InputWidth];
    end
    logic unused_address;
    assign unused_address = ^{address_q, even};
  end
  always_ff @(posedge clk_i) begin
    weight_word_q <= block_word + head[31:16];
    weight_addr_q <= weight_word_q[WeightWidth-1:0];
  end

  // What a step says about its operands: at cycle 2 its record's, at 6 the weights' part, at 7 the rest.
  logic [1:0] u_log2, part;
  delay_line #(.DataWidth(4), .Stages(4)) u_part (.clk_i, .data_i({head[1:0], head[11:10]}), .data_o({u_log2, part}));
  delay_line #(.DataWidth(10), .Stages(5)) u_step (
      .clk_i, .data_i(head[9:0]), .data_o({shift_o, w_signed_o, x_signed_o, v_log2_o, u_log2_o}));

  // Cycles 4 to 6: the words. 7: 32 bits from the digit on.
  for (genvar k = 0; k < Copies; k++) begin : gen_input
    logic [31:0] even, odd;
    logic [4:0] place;
    logic [63:0] both, moved;
    ram_sdp #(.DataWidth(32), .Depth(InputWords)) u_even (
        .clk_i, .write_i(input_write_i), .write_addr_i(input_addr_i), .write_data_i(input_data_i[31:0]),
        .read_addr_i({source_page_i, even_addrs[InputWidth*k+:InputWidth]}), .read_data_o(even));
    ram_sdp #(.DataWidth(32), .Depth(InputWords)) u_odd (
        .clk_i, .write_i(input_write_i), .write_addr_i(input_addr_i), .write_data_i(input_data_i[63:32]),
        .read_addr_i({source_page_i, odd_addrs[InputWidth*k+:InputWidth]}), .read_data_o(odd));
    delay_line #(.DataWidth(5), .Stages(3)) u_place (.clk_i, .data_i(places[5*k+:5]), .data_o(place));
    assign both = place[4] ? {even, odd} : {odd, even};
    assign moved = both >> {place[3:0], 1'b0};
    always_ff @(posedge clk_i) x_o[32*k+:32] <= moved[31:0];
    logic unused_moved;
    assign unused_moved = ^moved[63:32];
  end

  // Weights: windows share those of the first group's rows; of a word, a step uses one part.
  logic [32*Rows*Columns-1:0] words;
  for (genvar s = 0; s < Rows * Columns / 4; s++) begin : gen_weight
    ram_sdp #(.DataWidth(128), .Depth(WeightWords)) u_weights (
        .clk_i, .write_i(weight_write_i && write_slice_i == 11'(s)),
        .write_addr_i({write_page_i, write_addr_i[WeightWidth-1:0]}), .write_data_i(write_data_i),
        .read_addr_i({weight_page_i, weight_addr_q}), .read_data_o(words[128*s+:128]));
  end
  logic [6:0] group_mask;
  assign group_mask = is_channels_i ? 7'(Rows - 1) : 7'((Rows >> groups_log2_i) - 1);
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    logic [32*Columns-1:0] row;
    logic [6:0] source;
    assign source = 7'(r) & group_mask;
    always_comb begin
      row = words[0+:32*Columns];
      for (int unsigned k = 1; k <= r; k++) if (source == 7'(k)) row = words[32*Columns*k+:32*Columns];
    end
    for (genvar c = 0; c < Columns; c++) begin : gen_column
      logic [31:0] word, used;
      assign word = row[32*c+:32];
      always_comb begin
        case (u_log2)
          2'd0: used = word;
          2'd1: used = {16'b0, part[0] ? word[31:16] : word[15:0]};
          default: used = {24'b0, word[8*part+:8]};
        endcase
      end
      always_ff @(posedge clk_i) w_o[32*(r*Columns+c)+:32] <= used;
    end
  end

  logic unused_bits;
  assign unused_bits = ^{write_data_i, write_addr_i, step_addr_i, weight_word_q, head[15:12]};
endmodule

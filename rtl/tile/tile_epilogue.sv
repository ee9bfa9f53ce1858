// Finishes the sums of a set, EpilogueLanes a cycle, and writes them to the middle or output
// buffer.
//
// Order: words of a pixel, then pixels. It begins in the cycle of sums_valid_i and takes Pof * Poy
// * Pox / EpilogueLanes cycles per set; the giver keeps sets that far apart. Latency: a word is
// written tile_pkg::EpilogueLatency cycles after its turn; the instruction's tokens are given in
// the cycle after its last word was written.
module tile_epilogue #(
  parameter int unsigned Pof = 4,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned EpilogueLanes = 2,
  localparam int unsigned Pixels = Poy * Pox,
  localparam int unsigned PixelWidth = Pixels > 1 ? $clog2(Pixels) : 1,
  localparam int unsigned Rows = Pof / EpilogueLanes,  // words per pixel and set
  localparam int unsigned RowWidth = Rows > 1 ? $clog2(Rows) : 1
) (
  input  logic                        clk_i,
  input  logic                        rst_ni,  // synchronous, active low
  input  tile_pkg::context_t          context_i,  // of the set that is handed over
  input  tile_pkg::constants_t        constants_i,
  output logic                        context_done_o,  // takes the context away
  input  logic                        sums_valid_i,
  input  logic [                 2:0] sums_end_i,  // last set of the lane groups, row of groups, instruction
  input  logic [   48*Pof*Pixels-1:0] sums_i,
  output logic [                15:0] parameter_word_o,
  output logic [        RowWidth-1:0] parameter_row_o,
  input  logic [72*EpilogueLanes-1:0] first_i,  // 3 cycles after the request
  input  logic [72*EpilogueLanes-1:0] second_i,
  output logic [      PixelWidth-1:0] x_bank_o,
  output logic [                15:0] x_addr_o,
  input  logic [16*EpilogueLanes-1:0] x_i,  // 2 cycles after the request
  output logic                        middle_write_o,
  output logic                        output_write_o,
  output logic [      PixelWidth-1:0] write_bank_o,
  output logic [                15:0] write_addr_o,
  output logic [16*EpilogueLanes-1:0] write_data_o,
  output logic [                 6:0] give_o
);
  localparam int unsigned LaneLatency = tile_pkg::LaneLatency;

  // Where the drain is: in the set (all 0 at its beginning), and the set in its instruction.
  logic active_q, fresh_q;
  logic [2:0] end_q, set_end;
  logic [RowWidth-1:0] row_q;
  logic [PixelWidth-1:0] pixel_q;
  logic [5:0] column_q;
  logic [15:0] line_q, position_q;  // address of the pixel's line of the group, of the pixel
  logic [15:0] word_q, parameter_q, group_q, group_line_q, source_q;

  logic draining, last_row, last_column, last_of_set, set_begins;
  logic [15:0] record_word, group, group_line, source, line, position;
  assign draining = active_q || sums_valid_i;
  assign set_end = active_q ? end_q : sums_end_i;
  assign last_row = row_q == RowWidth'(Rows - 1);
  assign last_column = column_q == 6'(Pox - 1);
  assign last_of_set = last_row && pixel_q == PixelWidth'(Pixels - 1);
  assign set_begins = row_q == '0 && pixel_q == '0;
  assign record_word = fresh_q ? context_i.parameter_first : parameter_q;
  assign group = fresh_q ? context_i.target_base : group_q;
  assign group_line = fresh_q ? context_i.target_base : group_line_q;
  assign source = fresh_q ? context_i.source_base : source_q;
  assign line = set_begins ? group : line_q;
  assign position = set_begins ? group : position_q;
  assign context_done_o = draining && last_of_set && set_end[2];

  logic [15:0] next_line;
  assign next_line = group_line + context_i.target_row_step;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      active_q <= 1'b0;
      fresh_q <= 1'b1;
      row_q <= '0;
      pixel_q <= '0;
      column_q <= '0;
      word_q <= '0;
    end else if (draining) begin
      active_q <= !last_of_set;
      row_q <= last_row ? '0 : row_q + 1'b1;
      if (last_row) begin
        pixel_q <= last_of_set ? '0 : pixel_q + 1'b1;
        column_q <= last_column ? '0 : column_q + 1'b1;
      end
      if (last_of_set) begin
        word_q <= set_end[0] ? '0 : word_q + 16'(Rows);
        fresh_q <= set_end[2];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (!active_q) end_q <= sums_end_i;
    if (draining) begin
      line_q <= line;
      position_q <= position;
      // In the middle buffer the pixels of a group lie in different banks at one address.
      if (last_row && context_i.target) begin
        line_q <= last_column ? line + context_i.target_row_pitch : line;
        position_q <= last_column ? line + context_i.target_row_pitch : position + context_i.target_pitch;
      end
      parameter_q <= record_word;
      group_q <= group;
      group_line_q <= group_line;
      source_q <= source;
      if (last_of_set) begin
        parameter_q <= record_word + (context_i.kind == tile_pkg::KindConv ? 16'd1 : 16'd2);
        if (set_end[0]) begin
          parameter_q <= context_i.parameter_first;
          source_q <= source + context_i.source_pitch;
          if (!context_i.target) begin
            group_q <= group + context_i.target_pitch;
          end else if (set_end[1]) begin
            group_q <= next_line;
            group_line_q <= next_line;
          end else begin
            group_q <= group + context_i.target_column_step;
          end
        end
      end
    end
  end

  // Stage 1: requests, the selected sums, and what the result needs.
  localparam int unsigned TagWidth = 1 + PixelWidth + 16 + 7;
  logic [TagWidth-1:0] s1_tag_q, out_tag;
  logic [48*EpilogueLanes-1:0] s1_sums_q, s3_sums;
  logic [141:0] s1_context_q, s3_context;
  assign parameter_word_o = record_word;
  assign parameter_row_o = row_q;

  // The word of the set that is due: a multiplexer of two words for each bit of its number.
  localparam int unsigned WordWidth = 48 * EpilogueLanes;
  localparam int WordBits = $clog2(Rows * Pixels);
  logic [31:0] word_of_set;
  logic [WordWidth*2**WordBits-1:0] words;
  assign word_of_set = 32'(pixel_q) * Rows + 32'(row_q);
  always_comb begin
    words = (WordWidth * 2 ** WordBits)'(sums_i);
    for (int s = 0; s < WordBits; s++) begin
      for (int k = 0; k < 2 ** (WordBits - 1 - s); k++) begin
        words[WordWidth*k+:WordWidth] =
            word_of_set[s] ? words[WordWidth*(2*k+1)+:WordWidth] : words[WordWidth*2*k+:WordWidth];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    s1_sums_q <= words[WordWidth-1:0];
    s1_context_q <= {context_i.kind, constants_i};
    s1_tag_q <= {context_i.target, pixel_q, position + word_q + 16'(row_q), context_i.signal_mask};
    x_bank_o <= pixel_q;
    x_addr_o <= source + word_q + 16'(row_q);
  end

  delay_line #(.DataWidth(48 * EpilogueLanes + 142), .Stages(2)) u_operands (
      .clk_i, .data_i({s1_sums_q, s1_context_q}), .data_o({s3_sums, s3_context}));
  delay_line #(.DataWidth(TagWidth), .Stages(LaneLatency + 2)) u_tag (
      .clk_i, .data_i(s1_tag_q), .data_o(out_tag));

  logic out_valid, out_done;
  pulse_line #(.DataWidth(2), .Stages(LaneLatency + 3)) u_valid (
      .clk_i, .rst_ni, .data_i({draining, context_done_o}), .data_o({out_valid, out_done}));

  for (genvar e = 0; e < EpilogueLanes; e++) begin : gen_lane
    tile_epilogue_lane u_lane (
        .clk_i, .kind_i(s3_context[141:140]), .sum_i(s3_sums[48*e+:48]), .x_i(x_i[16*e+:16]),
        .first_i(first_i[72*e+:72]), .second_i(second_i[72*e+:72]), .constants_i(s3_context[139:0]),
        .result_o(write_data_o[16*e+:16]));
  end

  assign middle_write_o = out_valid && !out_tag[TagWidth-1];
  assign output_write_o = out_valid && out_tag[TagWidth-1];
  assign write_bank_o = out_tag[23+:PixelWidth];
  assign write_addr_o = out_tag[22:7];

  always_ff @(posedge clk_i) begin
    if (!rst_ni) give_o <= '0;
    else give_o <= out_done ? out_tag[6:0] : '0;
  end

  logic unused_bits;
  assign unused_bits = ^{words, word_of_set};
endmodule

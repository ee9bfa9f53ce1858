// WEIGHT: fills weights, steps and parameters from memory, a beat a cycle; and the program at the start.
//
// Contract: write_o names the memory (weights, steps, parameters, program), write_addr_o its word,
// write_slice_o the beat within the word. Begun in cycle t, its beats are requested in t + 1.
module fusion_weight #(
  parameter int unsigned Rows = 4,
  parameter int unsigned Columns = 4,
  parameter int unsigned ColumnSets = 1
) (
  input  logic         clk_i,
  input  logic         rst_ni,  // synchronous, active low
  input  logic         clear_i,
  input  logic         load_program_i,  // pulse
  input  logic [ 39:0] program_address_i,
  input  logic [ 15:0] program_words_i,
  output logic         program_loaded_o,  // pulse
  input  logic         valid_i,
  output logic         ready_o,
  input  logic [255:0] instruction_i,
  input  logic [  6:0] tokens_i,
  output logic [  6:0] take_o,
  output logic [  6:0] give_o,
  output logic         idle_o,
  output logic         request_valid_o,
  input  logic         request_ready_i,
  output logic [ 39:0] request_address_o,
  output logic [ 31:0] request_bytes_o,
  input  logic         beat_valid_i,
  output logic         beat_ready_o,
  output logic [  3:0] write_o,
  output logic         write_page_o,
  output logic [ 15:0] write_addr_o,
  output logic [ 10:0] write_slice_o
);
  localparam int unsigned StepBeats = 1 + (Rows * ColumnSets + 3) / 4;

  logic running_q, requested_q, page_q, flip_q;
  logic [35:0] address_q;
  logic [15:0] words_q, word_q;
  logic [10:0] word_beats_q, beat_q;
  logic [1:0] target_q;
  logic [6:0] signal_q;

  logic start, done, taken;
  assign start = valid_i && !running_q && !load_program_i && (instruction_i[10:4] & ~tokens_i) == '0;
  assign ready_o = start;
  assign take_o = start ? instruction_i[10:4] : '0;
  assign done = running_q && words_q == '0;
  assign give_o = done ? signal_q : '0;
  assign program_loaded_o = done && target_q == 2'd3;
  assign idle_o = !running_q && !valid_i;

  assign request_valid_o = running_q && !requested_q;
  assign request_address_o = {address_q, 4'b0};
  assign request_bytes_o = {1'b0, 27'(words_q) * 27'(word_beats_q), 4'b0};
  assign beat_ready_o = running_q && words_q != '0;
  assign taken = beat_ready_o && beat_valid_i;
  assign write_o = taken ? 4'b1 << target_q : '0;
  assign write_page_o = page_q;
  assign write_addr_o = word_q;
  assign write_slice_o = beat_q;

  logic [10:0] word_beats;
  always_comb begin
    case (instruction_i[119:118])
      2'd0: word_beats = 11'(instruction_i[126:120] * (Columns / 4));
      2'd1: word_beats = 11'(StepBeats);
      default: word_beats = 11'(Columns);
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (start) begin
      address_q <= instruction_i[53:18];
      words_q <= instruction_i[117:102];
      word_beats_q <= word_beats;
      target_q <= instruction_i[119:118];
      flip_q <= instruction_i[127];
      signal_q <= instruction_i[17:11];
    end
    if (load_program_i) begin
      address_q <= program_address_i[39:4];
      words_q <= program_words_i;
      word_beats_q <= 11'd2;
      target_q <= 2'd3;
      flip_q <= 1'b0;
      signal_q <= '0;
    end
    if (start || load_program_i) begin
      word_q <= '0;
      beat_q <= '0;
    end
    if (taken) begin
      beat_q <= beat_q + 1'b1;
      if (beat_q + 1'b1 == word_beats_q) begin
        beat_q <= '0;
        word_q <= word_q + 1'b1;
        words_q <= words_q - 1'b1;
      end
    end
    if (!rst_ni) begin
      running_q <= 1'b0;
      requested_q <= 1'b0;
      page_q <= 1'b0;
    end else begin
      running_q <= start || load_program_i || (running_q && !done);
      requested_q <= start || load_program_i ? 1'b0 : requested_q || request_ready_i;
      if (clear_i) page_q <= 1'b0;
      else if (done && flip_q) page_q <= !page_q;
    end
  end

  logic unused_bits;
  assign unused_bits = ^{instruction_i, program_address_i[3:0]};
endmodule

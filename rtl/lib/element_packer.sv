// Packs runs of units of 8 or 16 bits into 128-bit beats with strobes; rows begin and end within
// beats.
//
// Contract: each word gives `count_i` units from unit `first_i` on; a row's first word says where
// in its beat it begins, its last word makes the packer send what it holds. Latency: 1 cycle; a
// word or a beat per cycle.
module element_packer #(
  parameter int unsigned Count = 4,  // units per word
  parameter int unsigned UnitBits = 16,  // 8 or 16
  localparam int unsigned PerBeat = 128 / UnitBits,
  localparam int unsigned OffsetWidth = $clog2(PerBeat),
  localparam int unsigned IndexWidth = $clog2(Count),
  localparam int unsigned CountWidth = $clog2(Count + 1)
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,  // synchronous, active low
  input  logic                  word_valid_i,
  output logic                  word_ready_o,
  input  logic [UnitBits*Count-1:0] word_i,
  input  logic [IndexWidth-1:0] first_i,
  input  logic [CountWidth-1:0] count_i,  // at least 1
  input  logic                  row_begins_i,
  input  logic                  row_ends_i,
  input  logic [OffsetWidth-1:0] offset_i,  // of the row's first unit in its beat
  output logic                  beat_valid_o,
  input  logic                  beat_ready_i,
  output logic [         127:0] beat_o,
  output logic [          15:0] strobe_o,
  output logic                  idle_o
);
  localparam int unsigned Capacity = Count + PerBeat;
  localparam int unsigned FillWidth = $clog2(Capacity + 1);

  logic [UnitBits*Capacity-1:0] buffer_q, rest;
  logic [Capacity-1:0] strobe_q, rest_strobe;
  logic [FillWidth-1:0] fill_q, fill;
  logic flush_q, flush, send, take, is_full;

  assign is_full = fill_q >= FillWidth'(PerBeat);
  assign beat_valid_o = is_full || (flush_q && fill_q != '0);
  assign send = beat_valid_o && beat_ready_i;
  assign fill = !send ? fill_q : is_full ? fill_q - FillWidth'(PerBeat) : '0;
  assign flush = flush_q && fill != '0;
  assign rest = send ? buffer_q >> 128 : buffer_q;
  assign rest_strobe = send ? strobe_q >> PerBeat : strobe_q;
  assign take = word_valid_i && word_ready_o;
  assign idle_o = fill_q == '0;
  assign beat_o = buffer_q[127:0];
  for (genvar k = 0; k < PerBeat; k++) begin : gen_strobe
    assign strobe_o[UnitBits/8*k+:UnitBits/8] = {(UnitBits / 8) {strobe_q[k]}};
  end

  // There is room when at most a beat is left after this cycle's.
  always_comb begin
    if (!send) word_ready_o = fill_q <= FillWidth'(PerBeat) && !(flush_q && fill_q != '0);
    else word_ready_o = fill_q <= FillWidth'(PerBeat) || (32'(fill_q) <= 2 * PerBeat && !flush_q);
  end

  // The word's units go behind the rest's, which are a beat or fewer: rotated to their place within a
  // beat, and moved by a whole one. Whether a beat was sent changes that move alone.
  localparam int unsigned Ring = Count > PerBeat ? Count : PerBeat;
  localparam int unsigned RingWidth = $clog2(Ring);
  logic [OffsetWidth-1:0] place;
  logic [FillWidth-1:0] place_end;
  logic [RingWidth-1:0] amount;
  logic [UnitBits*Ring-1:0] ring;
  logic [UnitBits*Capacity-1:0] moved;
  logic [Count-1:0] taken;
  logic [Capacity-1:0] mask;
  logic is_behind_beat;
  assign place = row_begins_i ? offset_i : fill_q[OffsetWidth-1:0];
  assign place_end = FillWidth'(place) + FillWidth'(count_i);
  assign is_behind_beat = !row_begins_i && (send ? 32'(fill_q) == 2 * PerBeat : 32'(fill_q) == PerBeat);
  assign amount = RingWidth'(first_i) - RingWidth'(place);
  rotator #(.Count(Ring), .UnitBits(UnitBits)) u_rotator (
      .amount_i(amount), .data_i({{(UnitBits * (Ring - Count)) {1'b0}}, word_i}), .data_o(ring));
  assign taken = ~({Count{1'b1}} << count_i);
  assign mask = Capacity'(taken) << place;
  for (genvar k = 0; k < Capacity; k++) begin : gen_place
    assign moved[UnitBits*k+:UnitBits] = mask[k] ? ring[UnitBits*(k%Ring)+:UnitBits] : '0;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fill_q <= '0;
      flush_q <= 1'b0;
      strobe_q <= '0;
      buffer_q <= '0;
    end else if (take) begin
      fill_q <= is_behind_beat ? FillWidth'(PerBeat) + FillWidth'(count_i) : place_end;
      flush_q <= row_ends_i;
      strobe_q <= rest_strobe | (is_behind_beat ? mask << PerBeat : mask);
      buffer_q <= rest | (is_behind_beat ? moved << 128 : moved);
    end else begin
      fill_q <= fill;
      flush_q <= flush;
      strobe_q <= rest_strobe;
      buffer_q <= rest;
    end
  end
endmodule

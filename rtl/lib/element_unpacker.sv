// Takes rows of elements out of 128-bit beats, Count elements a cycle.
//
// Contract: start_i gives the rows of a job (each row's beats begin with the beat of its first
// element); pop_i may be given when ok_o; elements beyond the row are 0. Latency: a beat taken in
// one cycle may be popped in the next; a beat a cycle, also from row to row.
module element_unpacker #(
  parameter int unsigned Count = 4,  // elements per pop
  parameter int unsigned ElementBits = 16,  // 8 or 16
  localparam int unsigned PerBeat = 128 / ElementBits,
  localparam int unsigned OffsetWidth = $clog2(PerBeat)
) (
  input  logic                clk_i,
  input  logic                rst_ni,  // synchronous, active low
  input  logic                start_i,
  input  logic [        11:0] rows_i,
  input  logic [        19:0] elements_i,  // per row
  input  logic [OffsetWidth-1:0] offset_i,  // of the first row's first element in its beat
  input  logic [OffsetWidth-1:0] offset_step_i,  // from row to row
  input  logic                beat_valid_i,
  output logic                beat_ready_o,
  input  logic [       127:0] beat_i,
  output logic                ok_o,
  input  logic                pop_i,
  output logic [ElementBits*Count-1:0] data_o
);
  localparam int unsigned Capacity = (Count > PerBeat ? Count : PerBeat) + PerBeat;
  localparam int unsigned FillWidth = $clog2(Capacity + 1);

  localparam int unsigned Width = ElementBits * Capacity;

  logic [11:0] rows_q;  // left, with this one
  logic [19:0] elements_q, take_left_q, row_left_q;  // of a row; not yet taken; not yet popped
  logic [OffsetWidth-1:0] offset_q, next_offset_q, offset_step_q;  // of this row, of the next
  logic first_q;  // the next beat is the row's first
  logic taken_q;  // take_left_q is 0, so that all the row still has is here
  logic last_q, elements_last_q;  // a pop takes all that the row (a whole row) still has
  logic [FillWidth-1:0] fill_q;
  logic [Width-1:0] buffer_q;  // 0 from fill_q on

  logic row_done, take;
  assign ok_o = rows_q != '0 && (fill_q >= FillWidth'(Count) || taken_q);
  assign row_done = pop_i && last_q;
  // What a beat needs, after this cycle's pop: a row that lacks data, and room.
  always_comb begin
    if (row_done) beat_ready_o = rows_q != 12'd1;
    else if (pop_i) beat_ready_o = !taken_q && 32'(fill_q) <= Capacity - PerBeat + Count;
    else beat_ready_o = rows_q != '0 && !taken_q && fill_q <= FillWidth'(Capacity - PerBeat);
  end
  assign take = beat_valid_i && beat_ready_o;

  // A beat in its place before the pop, or as the first of the next row: rotated, and its units that
  // are there.
  logic [OffsetWidth:0] gain, next_gain;
  logic [OffsetWidth-1:0] amount;
  logic [127:0] rotated, next_rotated;
  logic [Width+ElementBits*Count-1:0] merged;
  logic [127:0] next_merged;
  localparam logic [Capacity+Count-1:0] Ones = (Capacity + Count)'({PerBeat{1'b1}});
  logic [Capacity+Count-1:0] here;
  logic [PerBeat-1:0] next_here;
  logic [FillWidth:0] filled, fill;
  logic [19:0] left, next_left;
  logic left_taken, next_taken;
  assign gain = (OffsetWidth + 1)'(PerBeat) - (first_q ? {1'b0, offset_q} : '0);
  assign next_gain = (OffsetWidth + 1)'(PerBeat) - {1'b0, next_offset_q};
  assign amount = first_q ? offset_q : -fill_q[OffsetWidth-1:0];
  assign filled = {1'b0, fill_q} + (FillWidth + 1)'(gain);
  assign fill = take ? filled : {1'b0, fill_q};
  assign left_taken = take_left_q <= 20'(gain);
  assign left = left_taken ? '0 : take_left_q - 20'(gain);
  assign next_taken = elements_q <= 20'(next_gain);
  assign next_left = next_taken ? '0 : elements_q - 20'(next_gain);
  rotator #(.Count(PerBeat), .UnitBits(ElementBits)) u_rotator (
      .amount_i(amount), .data_i(beat_i), .data_o(rotated));
  rotator #(.Count(PerBeat), .UnitBits(ElementBits)) u_next_rotator (
      .amount_i(next_offset_q), .data_i(beat_i), .data_o(next_rotated));
  assign here = !take ? '0 : first_q ? Ones >> offset_q : Ones << fill_q;
  assign next_here = take ? {PerBeat{1'b1}} >> next_offset_q : '0;
  for (genvar k = 0; k < Capacity + Count; k++) begin : gen_place
    logic [ElementBits-1:0] held;
    if (k < Capacity) begin : gen_held
      assign held = buffer_q[ElementBits*k+:ElementBits];
    end else begin : gen_free
      assign held = '0;
    end
    assign merged[ElementBits*k+:ElementBits] =
        held | (here[k] ? rotated[ElementBits*(k%PerBeat)+:ElementBits] : '0);
  end
  for (genvar k = 0; k < PerBeat; k++) begin : gen_next_place
    assign next_merged[ElementBits*k+:ElementBits] =
        next_here[k] ? next_rotated[ElementBits*k+:ElementBits] : '0;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      elements_q <= elements_i;
      elements_last_q <= elements_i <= 20'(Count);
      take_left_q <= elements_i;
      taken_q <= 1'b0;
      row_left_q <= elements_i;
      last_q <= elements_i <= 20'(Count);
      offset_q <= offset_i;
      next_offset_q <= offset_i + offset_step_i;
      offset_step_q <= offset_step_i;
      first_q <= 1'b1;
      fill_q <= '0;
      buffer_q <= '0;
    end else if (row_done) begin
      take_left_q <= take ? next_left : elements_q;
      taken_q <= take && next_taken;
      row_left_q <= elements_q;
      last_q <= elements_last_q;
      offset_q <= next_offset_q;
      next_offset_q <= next_offset_q + offset_step_q;
      first_q <= !take;
      fill_q <= take ? FillWidth'(next_gain) : '0;
      buffer_q <= {{(Width - 128) {1'b0}}, next_merged};
    end else begin
      if (take) begin
        take_left_q <= left;
        taken_q <= left_taken;
        first_q <= 1'b0;
      end
      if (pop_i) begin
        row_left_q <= row_left_q - 20'(Count);
        last_q <= row_left_q <= 20'(2 * Count);
      end
      fill_q <= FillWidth'(pop_i ? fill - (FillWidth + 1)'(Count) : fill);
      buffer_q <= pop_i ? merged[ElementBits*Count+:Width] : merged[Width-1:0];
    end
    if (!rst_ni) rows_q <= '0;
    else if (start_i) rows_q <= rows_i;
    else if (row_done) rows_q <= rows_q - 1'b1;
  end

  for (genvar k = 0; k < Count; k++) begin : gen_element
    assign data_o[ElementBits*k+:ElementBits] =
        !last_q || row_left_q > 20'(k) ? buffer_q[ElementBits*k+:ElementBits] : '0;
  end

  always_ff @(posedge clk_i) if (rst_ni) assert (!pop_i || ok_o);
endmodule

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
  localparam int unsigned ShiftZeros = $clog2(ElementBits);
  localparam int unsigned FillWidth = $clog2(Capacity + 1);

  logic [11:0] rows_q;  // left, with this one
  logic [19:0] elements_q, take_left_q, row_left_q;  // of a row; not yet taken; not yet popped
  logic [OffsetWidth-1:0] offset_q, offset_step_q;
  logic first_q;  // the next beat is the row's first
  logic [FillWidth-1:0] fill_q;
  logic [ElementBits*Capacity-1:0] buffer_q;

  // After this cycle's pop.
  logic row_done, first, take;
  logic [11:0] rows;
  logic [19:0] take_left;
  logic [OffsetWidth-1:0] offset;
  logic [FillWidth-1:0] fill;
  logic [ElementBits*Capacity-1:0] rest;

  assign ok_o = rows_q != '0 && (fill_q >= FillWidth'(Count) || 20'(fill_q) >= row_left_q);
  assign row_done = pop_i && row_left_q <= 20'(Count);

  always_comb begin
    rows = rows_q;
    take_left = take_left_q;
    offset = offset_q;
    first = first_q;
    fill = fill_q;
    rest = buffer_q;
    if (row_done) begin
      rows = rows_q - 1'b1;
      take_left = elements_q;
      offset = offset_q + offset_step_q;
      first = 1'b1;
      fill = '0;
    end else if (pop_i) begin
      fill = fill_q - FillWidth'(Count);
      rest = buffer_q >> (ElementBits * Count);
    end
  end

  assign beat_ready_o = rows != '0 && take_left != '0 && fill <= FillWidth'(Capacity - PerBeat) && !start_i;
  assign take = beat_valid_i && beat_ready_o;

  logic [127:0] beat;
  logic [OffsetWidth:0] gained;
  logic [ElementBits*Capacity-1:0] merged;
  assign beat = first ? beat_i >> {offset, {ShiftZeros{1'b0}}} : beat_i;
  assign gained = (OffsetWidth + 1)'(PerBeat) - (first ? {1'b0, offset} : '0);
  always_comb begin
    merged = rest;
    for (int unsigned k = 0; k < Capacity; k++) begin
      if (FillWidth'(k) >= fill) merged[ElementBits*k+:ElementBits] = '0;
    end
    merged = merged | ({{(ElementBits * Capacity - 128) {1'b0}}, beat} << {fill, {ShiftZeros{1'b0}}});
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      elements_q <= elements_i;
      take_left_q <= elements_i;
      row_left_q <= elements_i;
      offset_q <= offset_i;
      offset_step_q <= offset_step_i;
      first_q <= 1'b1;
      fill_q <= '0;
    end else begin
      if (pop_i) row_left_q <= row_done ? elements_q : row_left_q - 20'(Count);
      offset_q <= offset;
      first_q <= first && !take;
      fill_q <= take ? fill + FillWidth'(gained) : fill;
      buffer_q <= take ? merged : rest;
      take_left_q <= !take ? take_left : take_left > 20'(gained) ? take_left - 20'(gained) : '0;
    end
    if (!rst_ni) rows_q <= '0;
    else rows_q <= start_i ? rows_i : rows;
  end

  for (genvar k = 0; k < Count; k++) begin : gen_element
    assign data_o[ElementBits*k+:ElementBits] =
        row_left_q > 20'(k) ? buffer_q[ElementBits*k+:ElementBits] : '0;
  end

  always_ff @(posedge clk_i) if (rst_ni) assert (!pop_i || ok_o);
endmodule

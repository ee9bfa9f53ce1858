// Rotates Count units towards unit 0, in a stage of two-way multiplexers for each bit of the amount.
//
// Contract: unit k of data_o is unit (k + amount_i) mod Count of data_i. Latency: none.
module rotator #(
  parameter int unsigned Count = 8,  // units
  parameter int unsigned UnitBits = 16,
  localparam int unsigned AmountWidth = Count > 1 ? $clog2(Count) : 1
) (
  input  logic [   AmountWidth-1:0] amount_i,
  input  logic [UnitBits*Count-1:0] data_i,
  output logic [UnitBits*Count-1:0] data_o
);
  logic [UnitBits*Count-1:0] given;
  always_comb begin
    data_o = data_i;
    given = data_i;
    for (int unsigned s = 0; s < AmountWidth; s++) begin
      for (int unsigned k = 0; k < Count; k++) begin
        if (amount_i[s]) data_o[UnitBits*k+:UnitBits] = given[UnitBits*((k+2**s)%Count)+:UnitBits];
      end
      given = data_o;
    end
  end
endmodule

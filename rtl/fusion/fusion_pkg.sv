// Constants that several modules of the fusion machine share. docs/fusion.md has the instructions.
package fusion_pkg;
  localparam int unsigned TokenCount = 7;
  localparam int unsigned UnitSumBits = 18;  // of a fusion unit's products
  localparam int unsigned GroupSumBits = 24;  // of up to 64 units

  // END is 0.
  localparam logic [3:0] OpLoop = 4'd1;
  localparam logic [3:0] OpNext = 4'd2;
  localparam logic [3:0] OpLoad = 4'd3;
  // WEIGHT is 4.
  localparam logic [3:0] OpCompute = 4'd5;
  localparam logic [3:0] OpStore = 4'd6;

  // Tokens of free pages; docs/fusion.md has them all.
  localparam int unsigned TokenComputeToLoad = 1;
  localparam int unsigned TokenComputeToWeight = 3;
  localparam int unsigned TokenStoreToCompute = 5;

  // Cycles: from a step's issue to its operands at the units; from there to a column's sums of units;
  // of the requantiser.
  localparam int unsigned OperandLatency = 7;
  localparam int unsigned UnitLatency = 3;
  localparam int unsigned RequantLatency = 10;
endpackage

// Instruction formats of docs/tile.md and fixed latencies of the tile engine, in cycles.
//
// The first field of a packed struct is its highest; instructions are defined from the lowest bit
// up, so the order is reversed.
package tile_pkg;
  localparam int unsigned RequantLatency = 9;
  localparam int unsigned DividerLatency = 19;
  localparam int unsigned ProductLatency = 3;  // epilogue's x * norm or x * multiplier
  // From the operands of an epilogue lane to its result.
  localparam int unsigned LaneLatency = RequantLatency + ProductLatency + DividerLatency + 1;
  // From the issue of a step to the operands of element 0 at the array.
  localparam int unsigned OperandLatency = 6;
  // From the hand-over of a set to the cycle that writes its first word.
  localparam int unsigned EpilogueLatency = 3 + LaneLatency;
  // From an instruction entering the preparation to its plan being ready.
  localparam int unsigned PrepareLatency = 9;

  localparam int unsigned TokenCount = 7;

  localparam logic [3:0] OpEnd = 4'd0;
  localparam logic [3:0] OpLoad = 4'd1;
  localparam logic [3:0] OpWeight = 4'd2;
  localparam logic [3:0] OpCompute = 4'd3;
  localparam logic [3:0] OpStore = 4'd4;

  localparam logic [1:0] KindConv = 2'd0;
  localparam logic [1:0] KindGdn = 2'd1;
  localparam logic [1:0] KindIgdn = 2'd2;

  localparam int unsigned LoadBits = 213;
  localparam int unsigned WeightBits = 95;
  localparam int unsigned ComputeBits = 210;
  localparam int unsigned StoreBits = 217;

  typedef struct packed {
    logic is_unsigned;  // elements of 8 bits
    logic [3:0] stride_x;
    logic [3:0] stride_y;
    logic [9:0] chunks;
    logic [15:0] row_pitch;
    logic [15:0] base;
    logic [19:0] valid_elements;
    logic [11:0] left_words;
    logic [15:0] row_words;
    logic [11:0] valid_rows;
    logic [7:0] top_rows;
    logic [11:0] rows;
    logic [23:0] row_stride;
    logic [39:0] address;
    logic [6:0] signal_mask;
    logic [6:0] wait_mask;
    logic [3:0] opcode;
  } load_t;

  typedef struct packed {
    logic [15:0] base;
    logic target;
    logic [19:0] words;
    logic [39:0] address;
    logic [6:0] signal_mask;
    logic [6:0] wait_mask;
    logic [3:0] opcode;
  } weight_t;

  typedef struct packed {
    logic [11:0] target_pitch;
    logic [15:0] target_row_pitch;
    logic [15:0] target_base;
    logic [7:0] parameter_group;
    logic [11:0] parameter_base;
    logic [15:0] weight_base;
    logic [9:0] pixel_words;
    logic [15:0] source_pitch;
    logic [15:0] source_base;
    logic [3:0] stride_x;
    logic [3:0] stride_y;
    logic [9:0] chunks;
    logic [5:0] tap_column;
    logic [3:0] tap_row;
    logic [5:0] taps_x;
    logic [3:0] taps_y;
    logic [7:0] lane_groups;
    logic [9:0] column_groups;
    logic [9:0] row_groups;
    logic [1:0] kind;
    logic target;
    logic source;
    logic [6:0] signal_mask;
    logic [6:0] wait_mask;
    logic [3:0] opcode;
  } compute_t;

  typedef struct packed {
    logic pools;
    logic [13:0] second;
    logic [13:0] split;
    logic [1:0] element_bytes;  // 2: this engine has elements of 16 bits only
    logic [11:0] column_pitch;
    logic [15:0] row_pitch;
    logic [15:0] base;
    logic [19:0] valid_elements;
    logic [13:0] first;
    logic [13:0] run;
    logic [11:0] rows;
    logic [23:0] row_stride;
    logic [39:0] address;
    logic [6:0] signal_mask;
    logic [6:0] wait_mask;
    logic [3:0] opcode;
  } store_t;

  // A COMPUTE with everything derived that its steps need; addresses are those of docs/tile.md, of
  // array words (Pif elements).
  typedef struct packed {
    compute_t instruction;
    logic [19:0] row_start;  // address of the first tap's row, without what the bank adds
    logic [19:0] column_start;
    logic [19:0] row_step;  // to the next row group, and of a bank that wraps
    logic [19:0] column_step;
    logic [5:0] row_bank;  // the first tap's row of banks
    logic [5:0] column_bank;
    logic [3:0] row_phase;  // the first tap's row modulo stride_y
    logic [3:0] column_phase;
    logic [15:0] target_row_step;  // to the next row group in the output buffer
    logic [15:0] target_column_step;
  } plan_t;

  // What the epilogue needs of a COMPUTE.
  typedef struct packed {
    logic [6:0] signal_mask;
    logic [1:0] kind;
    logic target;
    logic [15:0] parameter_first;  // the first lane group's word
    logic [15:0] source_base;
    logic [15:0] source_pitch;
    logic [15:0] target_base;
    logic [15:0] target_row_pitch;
    logic [15:0] target_pitch;
    logic [15:0] target_row_step;
    logic [15:0] target_column_step;
  } context_t;

  // Constants of two requantisers, without the multipliers.
  typedef struct packed {
    logic [5:0] post_shift1;
    logic [31:0] max1;
    logic [31:0] min1;
    logic [5:0] post_shift0;
    logic [31:0] max0;
    logic [31:0] min0;
  } constants_t;
  localparam int unsigned ContextBits = 138;
  localparam int unsigned ConstantsBits = 140;
endpackage

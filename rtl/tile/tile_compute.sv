// Compute unit: runs COMPUTE instructions on the array and the epilogue, and holds the five
// buffers.
//
// Contract: writes from the load and weight units and reads of the store unit need no handshake;
// tokens keep them apart from COMPUTE. Latency: out_data_o 2 cycles after out_addr_i; give_o in the
// cycle after an instruction's last result was written.
module tile_compute #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Pof = 4,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned EpilogueLanes = 2,
  parameter int unsigned OperandBits = 16,  // 16, or 8: two products per DSP
  parameter int unsigned InputBufferWords = 256,
  parameter int unsigned WeightBufferWords = 256,
  parameter int unsigned ParameterBufferWords = 64,
  parameter int unsigned MiddleBufferWords = 256,
  parameter int unsigned OutputBufferWords = 256,
  localparam int unsigned Pixels = Poy * Pox,
  localparam int unsigned RecordWidth = $clog2(Pof),
  localparam int unsigned InputBits = OperandBits == 8 ? 9 : 16
) (
  input  logic                             clk_i,
  input  logic                             rst_ni,  // synchronous, active low
  input  logic                             valid_i,
  output logic                             ready_o,
  input  logic [tile_pkg::ComputeBits-1:0] instruction_i,
  input  logic [                      6:0] available_i,
  output logic [                      6:0] take_o,
  output logic [                      6:0] give_o,
  output logic                             idle_o,
  input  logic [               Pixels-1:0] in_write_i,
  input  logic [                     15:0] in_addr_i,
  input  logic [        InputBits*Pif-1:0] in_data_i,
  input  logic                             weight_write_i,
  input  logic [                     15:0] weight_addr_i,
  input  logic [  OperandBits*Pif*Pof-1:0] weight_data_i,
  input  logic                             parameter_write_i,
  input  logic [                     15:0] parameter_word_i,
  input  logic [          RecordWidth-1:0] parameter_record_i,
  input  logic [                    127:0] parameter_data_i,
  input  logic [                     15:0] out_addr_i,
  output logic [     16*EpilogueLanes-1:0] out_data_o
);
  localparam int unsigned PixelWidth = Pixels > 1 ? $clog2(Pixels) : 1;
  localparam int unsigned Rows = Pof / EpilogueLanes;
  localparam int unsigned RowWidth = Rows > 1 ? $clog2(Rows) : 1;
  localparam int unsigned OperandLatency = tile_pkg::OperandLatency;
  // Operands of the array have room for |-2^15|; cascades of 8-bit products are short.
  localparam int unsigned XBits = OperandBits == 8 ? 9 : 17;
  localparam int unsigned Cascade = OperandBits == 8 && Pif > 4 ? 4 : Pif;
  localparam int unsigned ArrayLatency = Cascade + (OperandBits == 8 ? 6 : 3);
  localparam int unsigned OutputAddrWidth = $clog2(OutputBufferWords);

  logic plan_valid, plan_ready, sequencer_idle;
  tile_pkg::plan_t plan;
  tile_prepare #(.Pif(Pif), .Poy(Poy), .Pox(Pox), .EpilogueLanes(EpilogueLanes)) u_prepare (
      .clk_i, .rst_ni, .valid_i, .ready_o, .instruction_i, .plan_valid_o(plan_valid), .plan_ready_i(plan_ready),
      .plan_o(plan));

  logic context_valid, step_valid, step_first, step_last, step_middle, step_absolute;
  logic [2:0] step_end;
  logic [19:0] step_row, step_column, step_row_step, step_column_step;
  logic [5:0] step_row_bank, step_column_bank;
  logic [15:0] step_weight;
  tile_pkg::context_t new_context, front_context;
  tile_pkg::constants_t new_constants, front_constants;
  tile_sequencer #(
      .Poy(Poy), .Pox(Pox), .ArrayLatency(ArrayLatency), .DrainCycles(Rows * Pixels)
  ) u_sequencer (
      .clk_i, .rst_ni, .plan_valid_i(plan_valid), .plan_ready_o(plan_ready), .plan_i(plan), .available_i, .take_o,
      .context_valid_o(context_valid), .context_o(new_context), .step_valid_o(step_valid),
      .step_first_o(step_first), .step_last_o(step_last), .step_end_o(step_end), .step_middle_o(step_middle),
      .step_absolute_o(step_absolute), .step_row_o(step_row), .step_column_o(step_column),
      .step_row_step_o(step_row_step), .step_column_step_o(step_column_step),
      .step_row_bank_o(step_row_bank), .step_column_bank_o(step_column_bank), .step_weight_o(step_weight),
      .idle_o(sequencer_idle));
  // written_q of the sequencer ends before the tokens are given.
  assign idle_o = ready_o && sequencer_idle && give_o == '0;

  // Operands of element 0 reach the array OperandLatency cycles after their step.
  logic [InputBits*Pif*Pixels-1:0] input_x;
  logic [16*Pif*Pixels-1:0] middle_x;
  logic [XBits*Pif*Pixels-1:0] x_q;
  logic [OperandBits*Pif*Pof-1:0] w;
  logic x_valid, x_first, x_last, x_middle, x_absolute;

  pulse_line #(.Stages(OperandLatency)) u_valid (.clk_i, .rst_ni, .data_i(step_valid), .data_o(x_valid));
  delay_line #(.DataWidth(2), .Stages(OperandLatency)) u_flags (
      .clk_i, .data_i({step_first, step_last}), .data_o({x_first, x_last}));
  delay_line #(.DataWidth(2), .Stages(OperandLatency - 1)) u_select (
      .clk_i, .data_i({step_middle, step_absolute}), .data_o({x_middle, x_absolute}));

  for (genvar k = 0; k < Pif * Pixels; k++) begin : gen_operand
    logic signed [16:0] x;
    assign x = x_middle ? {middle_x[16*k+15], middle_x[16*k+:16]}
                        : {{(17 - InputBits) {input_x[InputBits*k+InputBits-1]}}, input_x[InputBits*k+:InputBits]};
    always_ff @(posedge clk_i) x_q[XBits*k+:XBits] <= XBits'(x_absolute && x[16] ? -x : x);
  end

  tile_input_buffer #(.Pif(Pif), .Poy(Poy), .Pox(Pox), .Bits(InputBits), .Depth(InputBufferWords)) u_input_buffer (
      .clk_i, .write_i(in_write_i), .write_addr_i(in_addr_i), .write_data_i(in_data_i), .row_i(step_row),
      .column_i(step_column), .row_step_i(step_row_step), .column_step_i(step_column_step),
      .row_bank_i(step_row_bank), .column_bank_i(step_column_bank), .x_o(input_x));
  tile_weight_buffer #(
      .Pif(Pif), .Pof(Pof), .Bits(OperandBits), .Skew(Cascade), .Depth(WeightBufferWords)
  ) u_weight_buffer (
      .clk_i, .write_i(weight_write_i), .write_addr_i(weight_addr_i), .write_data_i(weight_data_i),
      .addr_i(step_weight), .w_o(w));

  logic sums_valid;
  logic [48*Pof*Pixels-1:0] sums;
  logic [2:0] sums_end;
  if (OperandBits == 8) begin : gen_array8
    tile_array8 #(.Pif(Pif), .Pof(Pof), .Pixels(Pixels)) u_array (
        .clk_i, .rst_ni, .valid_i(x_valid), .first_i(x_first), .last_i(x_last), .x_i(x_q), .w_i(w),
        .sums_valid_o(sums_valid), .sums_o(sums));
  end else begin : gen_array16
    tile_array #(.Pif(Pif), .Pof(Pof), .Pixels(Pixels)) u_array (
        .clk_i, .rst_ni, .valid_i(x_valid), .first_i(x_first), .last_i(x_last), .x_i(x_q), .w_i(w),
        .sums_valid_o(sums_valid), .sums_o(sums));
  end
  delay_line #(.DataWidth(3), .Stages(tile_pkg::OperandLatency + ArrayLatency)) u_end (
      .clk_i, .data_i(step_end), .data_o(sums_end));

  // Contexts wait for the epilogue; constants follow 2 cycles later, well before the first set.
  logic context_done, constants_valid;
  logic context_ready, constants_ready, front_valid, front_constants_valid;
  tile_pkg::compute_t starting;
  assign starting = plan.instruction;
  pulse_line #(.Stages(2)) u_constants_valid (.clk_i, .rst_ni, .data_i(context_valid), .data_o(constants_valid));
  stream_fifo #(.DataWidth(tile_pkg::ContextBits), .Depth(16)) u_contexts (
      .clk_i, .rst_ni, .valid_i(context_valid), .ready_o(context_ready), .data_i(new_context),
      .valid_o(front_valid), .ready_i(context_done), .data_o(front_context));
  stream_fifo #(.DataWidth(tile_pkg::ConstantsBits), .Depth(16)) u_constants (
      .clk_i, .rst_ni, .valid_i(constants_valid), .ready_o(constants_ready), .data_i(new_constants),
      .valid_o(front_constants_valid), .ready_i(context_done), .data_o(front_constants));

  logic [15:0] request_word;
  logic [RowWidth-1:0] request_row;
  logic [72*EpilogueLanes-1:0] first, second;
  tile_parameter_buffer #(.Pof(Pof), .EpilogueLanes(EpilogueLanes), .Depth(ParameterBufferWords)) u_parameter_buffer (
      .clk_i, .write_i(parameter_write_i), .write_word_i(parameter_word_i), .write_record_i(parameter_record_i),
      .write_data_i(parameter_data_i), .word_i(request_word), .row_i(request_row), .first_o(first),
      .second_o(second), .constants_word_i({4'b0, starting.parameter_base}), .constants_o(new_constants));

  logic middle_write, output_write;
  logic [PixelWidth-1:0] write_bank, x_bank;
  logic [15:0] write_addr, x_addr;
  logic [16*EpilogueLanes-1:0] write_data, x_word;
  tile_epilogue #(.Pof(Pof), .Poy(Poy), .Pox(Pox), .EpilogueLanes(EpilogueLanes)) u_epilogue (
      .clk_i, .rst_ni, .context_i(front_context), .constants_i(front_constants), .context_done_o(context_done),
      .sums_valid_i(sums_valid), .sums_end_i(sums_end), .sums_i(sums), .parameter_word_o(request_word),
      .parameter_row_o(request_row), .first_i(first), .second_i(second), .x_bank_o(x_bank), .x_addr_o(x_addr),
      .x_i(x_word), .middle_write_o(middle_write), .output_write_o(output_write), .write_bank_o(write_bank),
      .write_addr_o(write_addr), .write_data_o(write_data), .give_o);
  tile_middle_buffer #(
      .Pif(Pif), .EpilogueLanes(EpilogueLanes), .Pixels(Pixels), .Depth(MiddleBufferWords)
  ) u_middle_buffer (
      .clk_i, .write_i(middle_write), .write_bank_i(write_bank), .write_addr_i(write_addr),
      .write_data_i(write_data), .column_i(step_column), .x_o(middle_x), .word_bank_i(x_bank),
      .word_addr_i(x_addr), .word_o(x_word));
  ram_sdp #(.DataWidth(16 * EpilogueLanes), .Depth(OutputBufferWords)) u_output_buffer (
      .clk_i, .write_i(output_write), .write_addr_i(write_addr[OutputAddrWidth-1:0]), .write_data_i(write_data),
      .read_addr_i(out_addr_i[OutputAddrWidth-1:0]), .read_data_o(out_data_o));

  logic unused_bits;
  assign unused_bits = ^{starting, out_addr_i};

  always_ff @(posedge clk_i) begin
    if (rst_ni) begin
      assert (!context_valid || context_ready);
      assert (!constants_valid || constants_ready);
      assert (!sums_valid || (front_valid && front_constants_valid));
    end
  end
  initial begin
    assert ((Pif & (Pif - 1)) == 0 && (EpilogueLanes & (EpilogueLanes - 1)) == 0);
    assert (EpilogueLanes >= 2 && Pof % EpilogueLanes == 0 && Pif * Pof * OperandBits % 128 == 0);
    assert (Poy <= 32 && Pox <= 32 && (OperandBits == 16 || OperandBits == 8));
  end
endmodule

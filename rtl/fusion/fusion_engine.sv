// The fusion machine: an array of bit bricks that runs a compiled network from memory.
//
// Contract: docs/fusion.md gives the instructions, rtl/README.md registers and timing. Port 0 reads for LOAD and
// writes for STORE, port 1 reads the program and for WEIGHT.
module fusion_engine #(
  parameter int unsigned Rows = 4,  // powers of two, all
  parameter int unsigned Columns = 4,
  parameter int unsigned ColumnSets = 1,
  parameter int unsigned InputWords = 64,
  parameter int unsigned WeightWords = 16,
  parameter int unsigned StepWords = 16,
  parameter int unsigned ParameterWords = 16,
  parameter int unsigned OutputWords = 64,
  parameter int unsigned ProgramWords = 64,
  parameter int unsigned DmaFifoBeats = 64,
  parameter int unsigned MaxBurstBeats = 16,
  parameter int unsigned MaxBursts = 4,
  localparam int unsigned Ports = 2
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,  // synchronous, active low
  input  logic                 s_axi_awvalid_i,
  output logic                 s_axi_awready_o,
  input  logic [          7:0] s_axi_awaddr_i,
  input  logic                 s_axi_wvalid_i,
  output logic                 s_axi_wready_o,
  input  logic [         31:0] s_axi_wdata_i,
  output logic                 s_axi_bvalid_o,
  input  logic                 s_axi_bready_i,
  input  logic                 s_axi_arvalid_i,
  output logic                 s_axi_arready_o,
  input  logic [          7:0] s_axi_araddr_i,
  output logic                 s_axi_rvalid_o,
  input  logic                 s_axi_rready_i,
  output logic [         31:0] s_axi_rdata_o,
  output logic [    Ports-1:0] m_axi_arvalid_o,
  input  logic [    Ports-1:0] m_axi_arready_i,
  output logic [ 40*Ports-1:0] m_axi_araddr_o,
  output logic [  8*Ports-1:0] m_axi_arlen_o,
  input  logic [    Ports-1:0] m_axi_rvalid_i,
  output logic [    Ports-1:0] m_axi_rready_o,
  input  logic [128*Ports-1:0] m_axi_rdata_i,
  input  logic [  2*Ports-1:0] m_axi_rresp_i,
  input  logic [    Ports-1:0] m_axi_rlast_i,
  output logic                 m_axi_awvalid_o,
  input  logic                 m_axi_awready_i,
  output logic [         39:0] m_axi_awaddr_o,
  output logic [          7:0] m_axi_awlen_o,
  output logic                 m_axi_wvalid_o,
  input  logic                 m_axi_wready_i,
  output logic [        127:0] m_axi_wdata_o,
  output logic [         15:0] m_axi_wstrb_o,
  output logic                 m_axi_wlast_o,
  input  logic                 m_axi_bvalid_i,
  output logic                 m_axi_bready_o,
  input  logic [          1:0] m_axi_bresp_i,
  output logic                 interrupt_o
);
  localparam int unsigned QueueDepth = 8;
  localparam int unsigned ProgramWidth = $clog2(ProgramWords);
  localparam int unsigned InputWidth = $clog2(InputWords / 2);
  localparam int unsigned ParameterWidth = $clog2(ParameterWords / 2);
  localparam int unsigned OutputWidth = $clog2(OutputWords / 2);
  // From a step's issue to its set's sums in the shadow.
  localparam int unsigned ShadowLatency = fusion_pkg::OperandLatency + fusion_pkg::UnitLatency + $clog2(Rows) + 4;

  initial begin
    assert (Rows >= 1 && Rows <= 64 && (Rows & (Rows - 1)) == 0);
    assert (Columns >= 4 && Columns <= 64 && (Columns & (Columns - 1)) == 0);
    assert (ColumnSets == 1 || ColumnSets == 2 || ColumnSets == 4);
  end

  // Registers and program.
  logic start, busy, finished, unknown, load_program, program_loaded;
  logic [1:0] read_error;
  logic write_error;
  logic [39:0] program_address;
  logic [15:0] program_words;
  axi_lite_registers #(
      .Id(32'h4C49_4346), .Version(32'h1), .Count(9),
      .Values(288'(Rows) | 288'(Columns) << 32 | 288'(ColumnSets) << 64 |
              288'(InputWords) << 96 | 288'(WeightWords) << 128 | 288'(StepWords) << 160 |
              288'(ParameterWords) << 192 | 288'(OutputWords) << 224 | 288'(ProgramWords) << 256),
      .HasProgramWords(1'b1)) u_registers (
      .clk_i, .rst_ni, .awvalid_i(s_axi_awvalid_i), .awready_o(s_axi_awready_o), .awaddr_i(s_axi_awaddr_i),
      .wvalid_i(s_axi_wvalid_i), .wready_o(s_axi_wready_o), .wdata_i(s_axi_wdata_i), .bvalid_o(s_axi_bvalid_o),
      .bready_i(s_axi_bready_i), .arvalid_i(s_axi_arvalid_i), .arready_o(s_axi_arready_o), .araddr_i(s_axi_araddr_i),
      .rvalid_o(s_axi_rvalid_o), .rready_i(s_axi_rready_i), .rdata_o(s_axi_rdata_o), .start_o(start),
      .program_o(program_address), .program_words_o(program_words), .busy_i(busy), .finished_i(finished),
      .errors_i({write_error, read_error != '0, unknown}), .interrupt_o);

  logic [ProgramWidth-1:0] program_addr;
  logic [255:0] program_data, instruction;
  logic [3:0] push, queue_ready, queue_valid, unit_ready, unit_idle;
  logic [4*256-1:0] queued;
  fusion_sequencer #(.ProgramWords(ProgramWords)) u_sequencer (
      .clk_i, .rst_ni, .start_i(start), .busy_o(busy), .finished_o(finished), .unknown_o(unknown),
      .load_program_o(load_program), .program_loaded_i(program_loaded), .read_addr_o(program_addr),
      .read_data_i(program_data), .push_o(push), .ready_i(queue_ready), .instruction_o(instruction),
      .idle_i(unit_idle == '1));
  for (genvar u = 0; u < 4; u++) begin : gen_queue
    stream_fifo #(.DataWidth(256), .Depth(QueueDepth)) u_queue (
        .clk_i, .rst_ni, .valid_i(push[u]), .ready_o(queue_ready[u]), .data_i(instruction), .valid_o(queue_valid[u]),
        .ready_i(unit_ready[u]), .data_o(queued[256*u+:256]));
  end

  logic [fusion_pkg::TokenCount-1:0] tokens;
  logic [4*fusion_pkg::TokenCount-1:0] take, give;  // of each unit
  fusion_tokens u_tokens (
      .clk_i, .rst_ni, .clear_i(load_program), .give_i(give[7*0+:7] | give[7*1+:7] | give[7*2+:7] | give[7*3+:7]),
      .take_i(take[7*0+:7] | take[7*1+:7] | take[7*2+:7] | take[7*3+:7]), .available_o(tokens));

  // DMA.
  logic load_request, load_request_ready, load_beat_valid, load_beat_ready, load_dma_idle;
  logic [39:0] load_address;
  logic [31:0] load_bytes;
  logic [127:0] load_beat;
  axi_read_dma #(.FifoBeats(DmaFifoBeats), .MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)) u_load_dma (
      .clk_i, .rst_ni, .request_valid_i(load_request), .request_ready_o(load_request_ready),
      .request_address_i(load_address), .request_bytes_i(load_bytes), .beat_valid_o(load_beat_valid),
      .beat_ready_i(load_beat_ready), .beat_o(load_beat), .error_o(read_error[0]), .idle_o(load_dma_idle),
      .ar_valid_o(m_axi_arvalid_o[0]), .ar_ready_i(m_axi_arready_i[0]), .ar_addr_o(m_axi_araddr_o[39:0]),
      .ar_len_o(m_axi_arlen_o[7:0]), .r_valid_i(m_axi_rvalid_i[0]), .r_ready_o(m_axi_rready_o[0]),
      .r_data_i(m_axi_rdata_i[127:0]), .r_resp_i(m_axi_rresp_i[1:0]), .r_last_i(m_axi_rlast_i[0]));
  logic weight_request, weight_request_ready, weight_beat_valid, weight_beat_ready, weight_dma_idle;
  logic [39:0] weight_address;
  logic [31:0] weight_bytes;
  logic [127:0] weight_beat;
  axi_read_dma #(.FifoBeats(DmaFifoBeats), .MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)) u_weight_dma (
      .clk_i, .rst_ni, .request_valid_i(weight_request), .request_ready_o(weight_request_ready),
      .request_address_i(weight_address), .request_bytes_i(weight_bytes), .beat_valid_o(weight_beat_valid),
      .beat_ready_i(weight_beat_ready), .beat_o(weight_beat), .error_o(read_error[1]), .idle_o(weight_dma_idle),
      .ar_valid_o(m_axi_arvalid_o[1]), .ar_ready_i(m_axi_arready_i[1]), .ar_addr_o(m_axi_araddr_o[79:40]),
      .ar_len_o(m_axi_arlen_o[15:8]), .r_valid_i(m_axi_rvalid_i[1]), .r_ready_o(m_axi_rready_o[1]),
      .r_data_i(m_axi_rdata_i[255:128]), .r_resp_i(m_axi_rresp_i[3:2]), .r_last_i(m_axi_rlast_i[1]));
  logic store_request, store_request_ready, store_split, store_beat_valid, store_beat_ready;
  logic [7:0] store_sent, store_answered;
  logic [39:0] store_address;
  logic [31:0] store_bytes;
  logic [127:0] store_beat;
  axi_write_dma #(.MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)) u_store_dma (
      .clk_i, .rst_ni, .request_valid_i(store_request), .request_ready_o(store_request_ready),
      .request_address_i(store_address), .request_bytes_i(store_bytes), .split_o(store_split), .sent_o(store_sent),
      .answered_o(store_answered), .error_o(write_error), .beat_valid_i(store_beat_valid),
      .beat_ready_o(store_beat_ready), .beat_i(store_beat), .beat_strobe_i('1), .aw_valid_o(m_axi_awvalid_o),
      .aw_ready_i(m_axi_awready_i), .aw_addr_o(m_axi_awaddr_o), .aw_len_o(m_axi_awlen_o), .w_valid_o(m_axi_wvalid_o),
      .w_ready_i(m_axi_wready_i), .w_data_o(m_axi_wdata_o), .w_strb_o(m_axi_wstrb_o), .w_last_o(m_axi_wlast_o),
      .b_valid_i(m_axi_bvalid_i), .b_ready_o(m_axi_bready_o), .b_resp_i(m_axi_bresp_i));

  // Units.
  logic input_write;
  logic [InputWidth:0] input_addr;
  logic [63:0] input_data;
  fusion_load #(.Words(InputWords / 2)) u_load (
      .clk_i, .rst_ni, .clear_i(load_program), .valid_i(queue_valid[0]), .ready_o(unit_ready[0]),
      .instruction_i(queued[256*0+:256]), .tokens_i(tokens), .take_o(take[7*0+:7]), .give_o(give[7*0+:7]), .idle_o(unit_idle[0]),
      .request_valid_o(load_request), .request_ready_i(load_request_ready), .request_address_o(load_address),
      .request_bytes_o(load_bytes), .beat_valid_i(load_beat_valid), .beat_ready_o(load_beat_ready),
      .beat_i(load_beat), .write_o(input_write), .write_addr_o(input_addr), .write_data_o(input_data));

  logic [3:0] weight_write;
  logic weight_write_page;
  logic [15:0] weight_write_addr;
  logic [10:0] weight_write_slice;
  fusion_weight #(.Rows(Rows), .Columns(Columns), .ColumnSets(ColumnSets)) u_weight (
      .clk_i, .rst_ni, .clear_i(load_program), .load_program_i(load_program), .program_address_i(program_address),
      .program_words_i(program_words), .program_loaded_o(program_loaded), .valid_i(queue_valid[1]),
      .ready_o(unit_ready[1]), .instruction_i(queued[256*1+:256]), .tokens_i(tokens), .take_o(take[7*1+:7]), .give_o(give[7*1+:7]),
      .idle_o(unit_idle[1]), .request_valid_o(weight_request), .request_ready_i(weight_request_ready),
      .request_address_o(weight_address), .request_bytes_o(weight_bytes), .beat_valid_i(weight_beat_valid),
      .beat_ready_o(weight_beat_ready), .write_o(weight_write), .write_page_o(weight_write_page),
      .write_addr_o(weight_write_addr), .write_slice_o(weight_write_slice));
  for (genvar h = 0; h < 2; h++) begin : gen_program
    ram_sdp #(.DataWidth(128), .Depth(ProgramWords)) u_program (
        .clk_i, .write_i(weight_write[3] && weight_write_slice[0] == h), .write_addr_i(weight_write_addr[ProgramWidth-1:0]),
        .write_data_i(weight_beat), .read_addr_i(program_addr), .read_data_o(program_data[128*h+:128]));
  end

  logic source_page, weight_page, target_page, is_channels, step, first, last, pool_first, pool_last;
  logic [2:0] groups_log2;
  logic [1:0] fold_log2, bytes_log2;
  logic [9:0] pixel_words;
  logic [15:0] plane_pitch, block_word, set_target;
  logic [11:0] step_addr, set_parameter;
  logic [20*Rows-1:0] origins;
  logic [12:0] set_columns;
  logic [10:0] set_word;
  fusion_compute #(.Rows(Rows), .DrainLatency(ShadowLatency + fusion_pkg::RequantLatency + 2)) u_compute (
      .clk_i, .rst_ni, .clear_i(load_program), .valid_i(queue_valid[2]), .ready_o(unit_ready[2]),
      .instruction_i(queued[256*2+:256]), .tokens_i(tokens), .take_o(take[7*2+:7]), .give_o(give[7*2+:7]), .idle_o(unit_idle[2]),
      .source_page_o(source_page), .weight_page_o(weight_page), .target_page_o(target_page),
      .groups_log2_o(groups_log2), .is_channels_o(is_channels), .fold_log2_o(fold_log2), .bytes_log2_o(bytes_log2),
      .pixel_words_o(pixel_words), .plane_pitch_o(plane_pitch), .step_o(step), .first_o(first), .last_o(last),
      .step_addr_o(step_addr), .origins_o(origins), .block_word_o(block_word), .set_target_o(set_target),
      .set_columns_o(set_columns), .set_word_o(set_word), .set_parameter_o(set_parameter),
      .set_pool_first_o(pool_first), .set_pool_last_o(pool_last));

  logic [32*Rows*ColumnSets-1:0] x;
  logic [32*Rows*Columns-1:0] w, shadow;
  logic [1:0] u_log2, v_log2;
  logic x_signed, w_signed;
  logic [3:0] shift;
  fusion_operands #(
      .Rows(Rows), .Columns(Columns), .ColumnSets(ColumnSets), .InputWords(InputWords), .WeightWords(WeightWords),
      .StepWords(StepWords)) u_operands (
      .clk_i, .input_write_i(input_write), .input_addr_i(input_addr), .input_data_i(input_data),
      .weight_write_i(weight_write[0]), .step_write_i(weight_write[1]), .write_page_i(weight_write_page),
      .write_addr_i(weight_write_addr), .write_slice_i(weight_write_slice), .write_data_i(weight_beat),
      .source_page_i(source_page), .weight_page_i(weight_page), .groups_log2_i(groups_log2),
      .is_channels_i(is_channels), .step_addr_i(step_addr), .origins_i(origins), .block_word_i(block_word),
      .x_o(x), .w_o(w), .u_log2_o(u_log2), .v_log2_o(v_log2), .x_signed_o(x_signed), .w_signed_o(w_signed),
      .shift_o(shift));
  logic array_step, array_first, array_last;
  pulse_line #(.DataWidth(1), .Stages(fusion_pkg::OperandLatency)) u_step (
      .clk_i, .rst_ni, .data_i(step), .data_o(array_step));
  delay_line #(.DataWidth(2), .Stages(fusion_pkg::OperandLatency)) u_flags (
      .clk_i, .data_i({first, last}), .data_o({array_first, array_last}));
  fusion_array #(.Rows(Rows), .Columns(Columns), .ColumnSets(ColumnSets)) u_array (
      .clk_i, .rst_ni, .step_i(array_step), .first_i(array_first), .last_i(array_last), .x_i(x), .w_i(w),
      .u_log2_i(u_log2), .v_log2_i(v_log2), .x_signed_i(x_signed), .w_signed_i(w_signed), .shift_i(shift),
      .groups_log2_i(groups_log2), .fold_log2_i(fold_log2), .shadow_o(shadow));

  // Parameters; the constants of word 0 are kept beside them.
  logic [ParameterWidth-1:0] parameter_addr;
  logic [128*Columns-1:0] parameters;
  logic [95:0] constants_q[2];
  for (genvar c = 0; c < Columns; c++) begin : gen_parameter
    ram_sdp #(.DataWidth(128), .Depth(ParameterWords)) u_parameters (
        .clk_i, .write_i(weight_write[2] && weight_write_slice == 11'(c)),
        .write_addr_i({weight_write_page, weight_write_addr[ParameterWidth-1:0]}), .write_data_i(weight_beat),
        .read_addr_i({weight_page, parameter_addr}), .read_data_o(parameters[128*c+:128]));
  end
  always_ff @(posedge clk_i) begin
    if (weight_write[2] && weight_write_slice == '0 && weight_write_addr == '0) begin
      constants_q[weight_write_page] <= weight_beat[95:0];
    end
  end

  // The set's way to the drain.
  logic drain, drain_pool_first, drain_pool_last;
  logic [15:0] drain_target;
  logic [12:0] drain_columns;
  logic [10:0] drain_word;
  logic [11:0] drain_parameter;
  pulse_line #(.DataWidth(1), .Stages(ShadowLatency)) u_drain_pulse (.clk_i, .rst_ni, .data_i(last), .data_o(drain));
  delay_line #(.DataWidth(54), .Stages(ShadowLatency)) u_set (
      .clk_i, .data_i({pool_first, pool_last, set_target, set_columns, set_word, set_parameter}),
      .data_o({drain_pool_first, drain_pool_last, drain_target, drain_columns, drain_word, drain_parameter}));
  logic output_write;
  logic [OutputWidth-1:0] output_addr;
  logic [8*Columns-1:0] output_data, output_read;
  logic [OutputWidth:0] output_read_addr;
  fusion_drain #(
      .Rows(Rows), .Columns(Columns), .AddrWidth(OutputWidth), .ParameterWidth(ParameterWidth)) u_drain (
      .clk_i, .rst_ni, .groups_log2_i(groups_log2), .is_channels_i(is_channels), .bytes_log2_i(bytes_log2),
      .pixel_words_i(pixel_words), .plane_pitch_i(plane_pitch), .constants_i(constants_q[weight_page]),
      .drain_i(drain), .target_i(drain_target), .columns_i(drain_columns), .word_i(drain_word),
      .parameter_i(drain_parameter), .pool_first_i(drain_pool_first), .pool_last_i(drain_pool_last),
      .shadow_i(shadow), .parameter_addr_o(parameter_addr), .parameters_i(parameters), .write_o(output_write),
      .write_addr_o(output_addr), .write_data_o(output_data));
  ram_sdp #(.DataWidth(8 * Columns), .Depth(OutputWords)) u_output (
      .clk_i, .write_i(output_write), .write_addr_i({target_page, output_addr}), .write_data_i(output_data),
      .read_addr_i(output_read_addr), .read_data_o(output_read));

  fusion_store #(.Columns(Columns), .AddrWidth(OutputWidth)) u_store (
      .clk_i, .rst_ni, .clear_i(load_program), .valid_i(queue_valid[3]), .ready_o(unit_ready[3]),
      .instruction_i(queued[256*3+:256]), .tokens_i(tokens), .take_o(take[7*3+:7]), .give_o(give[7*3+:7]), .idle_o(unit_idle[3]),
      .request_valid_o(store_request), .request_ready_i(store_request_ready), .request_address_o(store_address),
      .request_bytes_o(store_bytes), .split_i(store_split), .sent_i(store_sent), .answered_i(store_answered),
      .beat_valid_o(store_beat_valid), .beat_ready_i(store_beat_ready), .beat_o(store_beat),
      .read_addr_o(output_read_addr), .read_data_i(output_read));

  logic unused_bits;
  assign unused_bits = ^{load_dma_idle, weight_dma_idle, unit_ready, weight_write_addr};
endmodule

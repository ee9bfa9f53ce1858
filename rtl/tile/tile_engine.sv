// The tile engine (docs/tile.md): AXI4-Lite registers, fetch, four units, and AXI4 ports to memory.
//
// Contract: control.start runs the program at program_low/high to its END; done when everything is
// written. All bursts are INCR of 16-byte beats with one identifier. Latency: rtl/README.md,
// section Timing.
module tile_engine #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Pof = 4,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned EpilogueLanes = 2,
  parameter int unsigned OperandBits = 16,  // 16 or 8
  parameter int unsigned InputBufferWords = 256,
  parameter int unsigned WeightBufferWords = 256,
  parameter int unsigned ParameterBufferWords = 64,
  parameter int unsigned MiddleBufferWords = 256,
  parameter int unsigned OutputBufferWords = 256,
  parameter int unsigned DmaPorts = 4,  // 1, 2 or 4
  parameter int unsigned DmaFifoBeats = 256,
  parameter int unsigned MaxBurstBeats = 64,
  parameter int unsigned MaxBursts = 8  // of each DMA
) (
  input  logic                    clk_i,
  input  logic                    rst_ni,  // synchronous, active low
  output logic                    interrupt_o,
  input  logic                    s_axi_awvalid_i,
  output logic                    s_axi_awready_o,
  input  logic [             7:0] s_axi_awaddr_i,
  input  logic                    s_axi_wvalid_i,
  output logic                    s_axi_wready_o,
  input  logic [            31:0] s_axi_wdata_i,
  output logic                    s_axi_bvalid_o,
  input  logic                    s_axi_bready_i,
  input  logic                    s_axi_arvalid_i,
  output logic                    s_axi_arready_o,
  input  logic [             7:0] s_axi_araddr_i,
  output logic                    s_axi_rvalid_o,
  input  logic                    s_axi_rready_i,
  output logic [            31:0] s_axi_rdata_o,
  output logic [    DmaPorts-1:0] m_axi_arvalid_o,
  input  logic [    DmaPorts-1:0] m_axi_arready_i,
  output logic [ 40*DmaPorts-1:0] m_axi_araddr_o,
  output logic [  8*DmaPorts-1:0] m_axi_arlen_o,
  input  logic [    DmaPorts-1:0] m_axi_rvalid_i,
  output logic [    DmaPorts-1:0] m_axi_rready_o,
  input  logic [128*DmaPorts-1:0] m_axi_rdata_i,
  input  logic [  2*DmaPorts-1:0] m_axi_rresp_i,
  input  logic [    DmaPorts-1:0] m_axi_rlast_i,
  output logic [    DmaPorts-1:0] m_axi_awvalid_o,
  input  logic [    DmaPorts-1:0] m_axi_awready_i,
  output logic [ 40*DmaPorts-1:0] m_axi_awaddr_o,
  output logic [  8*DmaPorts-1:0] m_axi_awlen_o,
  output logic [    DmaPorts-1:0] m_axi_wvalid_o,
  input  logic [    DmaPorts-1:0] m_axi_wready_i,
  output logic [128*DmaPorts-1:0] m_axi_wdata_o,
  output logic [ 16*DmaPorts-1:0] m_axi_wstrb_o,
  output logic [    DmaPorts-1:0] m_axi_wlast_o,
  input  logic [    DmaPorts-1:0] m_axi_bvalid_i,
  output logic [    DmaPorts-1:0] m_axi_bready_o,
  input  logic [  2*DmaPorts-1:0] m_axi_bresp_i
);
  localparam int unsigned QueueDepth = 8;
  localparam int unsigned RecordWidth = $clog2(Pof);
  localparam int unsigned InputBits = OperandBits == 8 ? 9 : 16;

  logic start, busy_q, all_idle, ended, unknown, read_error, write_error;
  logic [39:0] program_address;
  logic [15:0] unused_program_words;
  axi_lite_registers #(
      .Id(32'h4C49_4348), .Version(32'h1), .Count(6),
      .Values(192'(Pif) | 192'(Pof) << 32 | 192'(Poy) << 64 |
              192'(Pox) << 96 | 192'(EpilogueLanes) << 128 | 192'(OperandBits) << 160)
  ) u_registers (
      .clk_i, .rst_ni, .awvalid_i(s_axi_awvalid_i), .awready_o(s_axi_awready_o), .awaddr_i(s_axi_awaddr_i),
      .wvalid_i(s_axi_wvalid_i), .wready_o(s_axi_wready_o), .wdata_i(s_axi_wdata_i), .bvalid_o(s_axi_bvalid_o),
      .bready_i(s_axi_bready_i), .arvalid_i(s_axi_arvalid_i), .arready_o(s_axi_arready_o),
      .araddr_i(s_axi_araddr_i), .rvalid_o(s_axi_rvalid_o), .rready_i(s_axi_rready_i), .rdata_o(s_axi_rdata_o),
      .start_o(start), .program_o(program_address), .program_words_o(unused_program_words), .busy_i(busy_q),
      .finished_i(busy_q && all_idle), .errors_i({write_error, read_error, unknown}), .interrupt_o);

  always_ff @(posedge clk_i) begin
    if (!rst_ni) busy_q <= 1'b0;
    else busy_q <= start || (busy_q && !all_idle);
  end

  // Fetch and queues; units in the order LOAD, WEIGHT, COMPUTE, STORE.
  logic [3:0] fetched_valid, fetched_ready, queue_valid, queue_ready, unit_idle;
  logic [255:0] fetched;
  logic [tile_pkg::LoadBits-1:0] load_instruction;
  logic [tile_pkg::WeightBits-1:0] weight_instruction;
  logic [tile_pkg::ComputeBits-1:0] compute_instruction;
  logic [tile_pkg::StoreBits-1:0] store_instruction;
  logic [2:0] request_valid, request_ready, beat_valid, beat_ready;
  logic [119:0] request_address;
  logic [95:0] request_bytes;
  logic [383:0] beat;
  logic memory_idle;
  assign all_idle = ended && queue_valid == '0 && &unit_idle && memory_idle;

  tile_fetch u_fetch (
      .clk_i, .rst_ni, .start_i(start), .program_i(program_address), .ended_o(ended), .unknown_o(unknown),
      .request_valid_o(request_valid[2]), .request_ready_i(request_ready[2]),
      .request_address_o(request_address[80+:40]), .request_bytes_o(request_bytes[64+:32]),
      .beat_valid_i(beat_valid[2]), .beat_ready_o(beat_ready[2]), .beat_i(beat[256+:128]),
      .valid_o(fetched_valid), .ready_i(fetched_ready), .instruction_o(fetched));
  stream_fifo #(.DataWidth(tile_pkg::LoadBits), .Depth(QueueDepth)) u_load_queue (
      .clk_i, .rst_ni, .valid_i(fetched_valid[0]), .ready_o(fetched_ready[0]),
      .data_i(fetched[tile_pkg::LoadBits-1:0]), .valid_o(queue_valid[0]), .ready_i(queue_ready[0]),
      .data_o(load_instruction));
  stream_fifo #(.DataWidth(tile_pkg::WeightBits), .Depth(QueueDepth)) u_weight_queue (
      .clk_i, .rst_ni, .valid_i(fetched_valid[1]), .ready_o(fetched_ready[1]),
      .data_i(fetched[tile_pkg::WeightBits-1:0]), .valid_o(queue_valid[1]), .ready_i(queue_ready[1]),
      .data_o(weight_instruction));
  stream_fifo #(.DataWidth(tile_pkg::ComputeBits), .Depth(QueueDepth)) u_compute_queue (
      .clk_i, .rst_ni, .valid_i(fetched_valid[2]), .ready_o(fetched_ready[2]),
      .data_i(fetched[tile_pkg::ComputeBits-1:0]), .valid_o(queue_valid[2]), .ready_i(queue_ready[2]),
      .data_o(compute_instruction));
  stream_fifo #(.DataWidth(tile_pkg::StoreBits), .Depth(QueueDepth)) u_store_queue (
      .clk_i, .rst_ni, .valid_i(fetched_valid[3]), .ready_o(fetched_ready[3]),
      .data_i(fetched[tile_pkg::StoreBits-1:0]), .valid_o(queue_valid[3]), .ready_i(queue_ready[3]),
      .data_o(store_instruction));

  logic [6:0] available, load_take, weight_take, compute_take, store_take;
  logic [6:0] load_give, weight_give, compute_give, store_give;
  tile_tokens u_tokens (
      .clk_i, .rst_ni, .clear_i(start), .give_i(load_give | weight_give | compute_give | store_give),
      .take_i(load_take | weight_take | compute_take | store_take), .available_o(available));

  logic [Poy*Pox-1:0] in_write;
  logic [15:0] in_addr, weight_addr, parameter_word, out_addr;
  logic [InputBits*Pif-1:0] in_data;
  logic weight_write, parameter_write;
  logic [OperandBits*Pif*Pof-1:0] weight_data;
  logic [RecordWidth-1:0] parameter_record;
  logic [127:0] parameter_data;
  logic [16*EpilogueLanes-1:0] out_data;
  tile_load #(.Pif(Pif), .Poy(Poy), .Pox(Pox), .OperandBits(OperandBits)) u_load (
      .clk_i, .rst_ni, .valid_i(queue_valid[0]), .ready_o(queue_ready[0]), .instruction_i(load_instruction),
      .available_i(available), .take_o(load_take), .give_o(load_give), .idle_o(unit_idle[0]),
      .request_valid_o(request_valid[0]), .request_ready_i(request_ready[0]),
      .request_address_o(request_address[39:0]), .request_bytes_o(request_bytes[31:0]),
      .beat_valid_i(beat_valid[0]), .beat_ready_o(beat_ready[0]), .beat_i(beat[127:0]),
      .write_o(in_write), .write_addr_o(in_addr), .write_data_o(in_data));
  tile_weight #(.Pif(Pif), .Pof(Pof), .OperandBits(OperandBits)) u_weight (
      .clk_i, .rst_ni, .valid_i(queue_valid[1]), .ready_o(queue_ready[1]), .instruction_i(weight_instruction),
      .available_i(available), .take_o(weight_take), .give_o(weight_give), .idle_o(unit_idle[1]),
      .request_valid_o(request_valid[1]), .request_ready_i(request_ready[1]),
      .request_address_o(request_address[40+:40]), .request_bytes_o(request_bytes[32+:32]),
      .beat_valid_i(beat_valid[1]), .beat_ready_o(beat_ready[1]), .beat_i(beat[128+:128]),
      .weight_write_o(weight_write), .weight_addr_o(weight_addr), .weight_data_o(weight_data),
      .parameter_write_o(parameter_write), .parameter_word_o(parameter_word),
      .parameter_record_o(parameter_record), .parameter_data_o(parameter_data));
  tile_compute #(
      .Pif(Pif), .Pof(Pof), .Poy(Poy), .Pox(Pox), .EpilogueLanes(EpilogueLanes), .OperandBits(OperandBits),
      .InputBufferWords(InputBufferWords),
      .WeightBufferWords(WeightBufferWords), .ParameterBufferWords(ParameterBufferWords),
      .MiddleBufferWords(MiddleBufferWords), .OutputBufferWords(OutputBufferWords)
  ) u_compute (
      .clk_i, .rst_ni, .valid_i(queue_valid[2]), .ready_o(queue_ready[2]), .instruction_i(compute_instruction),
      .available_i(available), .take_o(compute_take), .give_o(compute_give), .idle_o(unit_idle[2]),
      .in_write_i(in_write), .in_addr_i(in_addr), .in_data_i(in_data), .weight_write_i(weight_write),
      .weight_addr_i(weight_addr), .weight_data_i(weight_data), .parameter_write_i(parameter_write),
      .parameter_word_i(parameter_word), .parameter_record_i(parameter_record),
      .parameter_data_i(parameter_data), .out_addr_i(out_addr), .out_data_o(out_data));

  logic write_valid, write_ready, split, out_beat_valid, out_beat_ready;
  logic [39:0] write_address;
  logic [31:0] write_bytes;
  logic [7:0] sent, answered;
  logic [127:0] out_beat;
  logic [15:0] out_strobe;
  tile_store #(.EpilogueLanes(EpilogueLanes), .OperandBits(OperandBits)) u_store (
      .clk_i, .rst_ni, .valid_i(queue_valid[3]), .ready_o(queue_ready[3]), .instruction_i(store_instruction),
      .available_i(available), .take_o(store_take), .give_o(store_give), .idle_o(unit_idle[3]),
      .read_addr_o(out_addr), .read_data_i(out_data), .request_valid_o(write_valid),
      .request_ready_i(write_ready), .request_address_o(write_address), .request_bytes_o(write_bytes),
      .split_i(split), .sent_i(sent), .answered_i(answered), .beat_valid_o(out_beat_valid),
      .beat_ready_i(out_beat_ready), .beat_o(out_beat), .strobe_o(out_strobe));

  tile_memory #(
      .DmaPorts(DmaPorts), .FifoBeats(DmaFifoBeats), .MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)
  ) u_memory (
      .clk_i, .rst_ni, .request_valid_i(request_valid), .request_ready_o(request_ready),
      .request_address_i(request_address), .request_bytes_i(request_bytes), .beat_valid_o(beat_valid),
      .beat_ready_i(beat_ready), .beat_o(beat), .write_valid_i(write_valid), .write_ready_o(write_ready),
      .write_address_i(write_address), .write_bytes_i(write_bytes), .split_o(split), .sent_o(sent),
      .answered_o(answered), .beat_valid_i(out_beat_valid), .beat_ready_o(out_beat_ready), .beat_i(out_beat),
      .beat_strobe_i(out_strobe), .idle_o(memory_idle), .read_error_o(read_error), .write_error_o(write_error),
      .m_axi_arvalid_o, .m_axi_arready_i, .m_axi_araddr_o, .m_axi_arlen_o, .m_axi_rvalid_i, .m_axi_rready_o,
      .m_axi_rdata_i, .m_axi_rresp_i, .m_axi_rlast_i, .m_axi_awvalid_o, .m_axi_awready_i, .m_axi_awaddr_o,
      .m_axi_awlen_o, .m_axi_wvalid_o, .m_axi_wready_i, .m_axi_wdata_o, .m_axi_wstrb_o, .m_axi_wlast_o,
      .m_axi_bvalid_i, .m_axi_bready_o, .m_axi_bresp_i);

  logic unused_fetched;
  assign unused_fetched = ^fetched;
endmodule

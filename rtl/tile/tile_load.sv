// Load unit: LOAD instructions; a front end that asks memory for rows and a writer behind it
// (tile_load_writer).
//
// Contract: an instruction starts when its tokens are there and the one before has sent its
// requests; two may wait for the writer.
// Latency: the first row is requested in the cycle after the start, then one row a cycle as the DMA
// takes them.
module tile_load #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Poy = 1,
  parameter int unsigned Pox = 4,
  parameter int unsigned OperandBits = 16,  // 16, or 8: then the buffer has a ninth bit
  localparam int unsigned BufferBits = OperandBits == 8 ? 9 : 16
) (
  input  logic                          clk_i,
  input  logic                          rst_ni,  // synchronous, active low
  input  logic                          valid_i,
  output logic                          ready_o,
  input  logic [tile_pkg::LoadBits-1:0] instruction_i,
  input  logic [                   6:0] available_i,
  output logic [                   6:0] take_o,
  output logic [                   6:0] give_o,
  output logic                          idle_o,
  output logic                          request_valid_o,
  input  logic                          request_ready_i,
  output logic [                  39:0] request_address_o,
  output logic [                  31:0] request_bytes_o,
  input  logic                          beat_valid_i,
  output logic                          beat_ready_o,
  input  logic [                 127:0] beat_i,
  output logic [           Poy*Pox-1:0] write_o,  // by bank
  output logic [                  15:0] write_addr_o,
  output logic [    BufferBits*Pif-1:0] write_data_o
);
  tile_pkg::load_t offered;
  assign offered = instruction_i;

  logic job_ready, start, job_valid, job_take, writer_idle;
  logic [tile_pkg::LoadBits-1:0] job;
  logic [11:0] rows_q;
  logic [39:0] address_q;
  logic [23:0] stride_q;
  logic [20:0] bytes_q;

  assign start = valid_i && rows_q == '0 && job_ready && (offered.wait_mask & ~available_i) == '0;
  assign ready_o = start;
  assign take_o = start ? offered.wait_mask : '0;
  assign request_valid_o = rows_q != '0;
  assign request_address_o = address_q;
  assign request_bytes_o = {11'b0, bytes_q};
  assign idle_o = rows_q == '0 && !job_valid && writer_idle && give_o == '0;

  always_ff @(posedge clk_i) begin
    if (start) begin
      address_q <= offered.address;
      stride_q <= offered.row_stride;
      bytes_q <= OperandBits == 8 ? {1'b0, offered.valid_elements} : {offered.valid_elements, 1'b0};
    end else if (request_valid_o && request_ready_i) begin
      address_q <= address_q + {16'b0, stride_q};
    end
    if (!rst_ni) rows_q <= '0;
    else if (start) rows_q <= offered.valid_elements == '0 ? '0 : offered.valid_rows;
    else if (request_valid_o && request_ready_i) rows_q <= rows_q - 1'b1;
  end

  stream_fifo #(.DataWidth(tile_pkg::LoadBits), .Depth(2)) u_jobs (
      .clk_i, .rst_ni, .valid_i(start), .ready_o(job_ready), .data_i(instruction_i), .valid_o(job_valid),
      .ready_i(job_take), .data_o(job));
  tile_load_writer #(.Pif(Pif), .Poy(Poy), .Pox(Pox), .OperandBits(OperandBits)) u_writer (
      .clk_i, .rst_ni, .valid_i(job_valid), .ready_o(job_take), .instruction_i(job), .beat_valid_i, .beat_ready_o,
      .beat_i, .write_o, .write_addr_o, .write_data_o, .give_o, .idle_o(writer_idle));
endmodule

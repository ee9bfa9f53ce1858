// Memory side of the tile engine: three read DMAs, one write DMA, and the AXI4 ports they share.
//
// Ports: of 4, each unit has its own (0 load, 1 weight, 2 fetch, 3 store); of 2, port 0 reads for
// load and writes for store, port 1 reads for weight and fetch; 1 port does everything. Unused
// channels stay quiet.
// Latency: that of the DMAs, and 1 cycle for the addresses of shared ports.
module tile_memory #(
  parameter int unsigned DmaPorts = 4,
  parameter int unsigned FifoBeats = 256,  // of the load and weight DMAs
  parameter int unsigned MaxBurstBeats = 64,
  parameter int unsigned MaxBursts = 8  // of a DMA
) (
  input  logic                   clk_i,
  input  logic                   rst_ni,  // synchronous, active low
  // Readers: 0 load, 1 weight, 2 fetch.
  input  logic [            2:0] request_valid_i,
  output logic [            2:0] request_ready_o,
  input  logic [          119:0] request_address_i,
  input  logic [           95:0] request_bytes_i,
  output logic [            2:0] beat_valid_o,
  input  logic [            2:0] beat_ready_i,
  output logic [          383:0] beat_o,
  // Writer.
  input  logic                   write_valid_i,
  output logic                   write_ready_o,
  input  logic [           39:0] write_address_i,
  input  logic [           31:0] write_bytes_i,
  output logic                   split_o,
  output logic [            7:0] sent_o,
  output logic [            7:0] answered_o,
  input  logic                   beat_valid_i,
  output logic                   beat_ready_o,
  input  logic [          127:0] beat_i,
  input  logic [           15:0] beat_strobe_i,
  output logic                   idle_o,
  output logic                   read_error_o,
  output logic                   write_error_o,
  // AXI4 by port.
  output logic [   DmaPorts-1:0] m_axi_arvalid_o,
  input  logic [   DmaPorts-1:0] m_axi_arready_i,
  output logic [40*DmaPorts-1:0] m_axi_araddr_o,
  output logic [ 8*DmaPorts-1:0] m_axi_arlen_o,
  input  logic [   DmaPorts-1:0] m_axi_rvalid_i,
  output logic [   DmaPorts-1:0] m_axi_rready_o,
  input  logic [128*DmaPorts-1:0] m_axi_rdata_i,
  input  logic [ 2*DmaPorts-1:0] m_axi_rresp_i,
  input  logic [   DmaPorts-1:0] m_axi_rlast_i,
  output logic [   DmaPorts-1:0] m_axi_awvalid_o,
  input  logic [   DmaPorts-1:0] m_axi_awready_i,
  output logic [40*DmaPorts-1:0] m_axi_awaddr_o,
  output logic [ 8*DmaPorts-1:0] m_axi_awlen_o,
  output logic [   DmaPorts-1:0] m_axi_wvalid_o,
  input  logic [   DmaPorts-1:0] m_axi_wready_i,
  output logic [128*DmaPorts-1:0] m_axi_wdata_o,
  output logic [16*DmaPorts-1:0] m_axi_wstrb_o,
  output logic [   DmaPorts-1:0] m_axi_wlast_o,
  input  logic [   DmaPorts-1:0] m_axi_bvalid_i,
  output logic [   DmaPorts-1:0] m_axi_bready_o,
  input  logic [ 2*DmaPorts-1:0] m_axi_bresp_i
);
  localparam int unsigned StorePort = DmaPorts == 4 ? 3 : 0;

  logic [2:0] ar_valid, ar_ready, r_valid, r_ready, r_last, dma_idle, dma_error;
  logic [119:0] ar_addr;
  logic [23:0] ar_len;
  logic [383:0] r_data;
  logic [5:0] r_resp;
  assign idle_o = &dma_idle;
  assign read_error_o = |dma_error;

  for (genvar r = 0; r < 3; r++) begin : gen_reader
    // Fetch asks for one block of 16 beats at a time.
    axi_read_dma #(
        .FifoBeats(r == 2 ? 16 : FifoBeats), .MaxBurstBeats(r == 2 ? 16 : MaxBurstBeats), .MaxBursts(MaxBursts)
    ) u_dma (
        .clk_i, .rst_ni, .request_valid_i(request_valid_i[r]), .request_ready_o(request_ready_o[r]),
        .request_address_i(request_address_i[40*r+:40]), .request_bytes_i(request_bytes_i[32*r+:32]),
        .beat_valid_o(beat_valid_o[r]), .beat_ready_i(beat_ready_i[r]), .beat_o(beat_o[128*r+:128]),
        .error_o(dma_error[r]), .idle_o(dma_idle[r]), .ar_valid_o(ar_valid[r]), .ar_ready_i(ar_ready[r]),
        .ar_addr_o(ar_addr[40*r+:40]), .ar_len_o(ar_len[8*r+:8]), .r_valid_i(r_valid[r]), .r_ready_o(r_ready[r]),
        .r_data_i(r_data[128*r+:128]), .r_resp_i(r_resp[2*r+:2]), .r_last_i(r_last[r]));
  end

  for (genvar p = 0; p < DmaPorts; p++) begin : gen_port
    // Readers of this port: First to First + Readers - 1.
    localparam int unsigned First = p;
    localparam int unsigned Readers = DmaPorts == 1 ? 3 : DmaPorts == 2 ? p + 1 : p == 3 ? 0 : 1;
    for (genvar r = First; r < First + Readers; r++) begin : gen_data
      assign r_data[128*r+:128] = m_axi_rdata_i[128*p+:128];
      assign r_resp[2*r+:2] = m_axi_rresp_i[2*p+:2];
      assign r_last[r] = m_axi_rlast_i[p];
    end
    if (Readers > 1) begin : gen_mux
      axi_read_mux #(.Masters(Readers)) u_mux (
          .clk_i, .rst_ni, .ar_valid_i(ar_valid[First+:Readers]), .ar_ready_o(ar_ready[First+:Readers]),
          .ar_addr_i(ar_addr[40*First+:40*Readers]), .ar_len_i(ar_len[8*First+:8*Readers]),
          .r_valid_o(r_valid[First+:Readers]), .r_ready_i(r_ready[First+:Readers]),
          .ar_valid_o(m_axi_arvalid_o[p]), .ar_ready_i(m_axi_arready_i[p]), .ar_addr_o(m_axi_araddr_o[40*p+:40]),
          .ar_len_o(m_axi_arlen_o[8*p+:8]), .r_valid_i(m_axi_rvalid_i[p]), .r_ready_o(m_axi_rready_o[p]),
          .r_last_i(m_axi_rlast_i[p]));
    end else if (Readers == 1) begin : gen_own
      assign m_axi_arvalid_o[p] = ar_valid[First];
      assign ar_ready[First] = m_axi_arready_i[p];
      assign m_axi_araddr_o[40*p+:40] = ar_addr[40*First+:40];
      assign m_axi_arlen_o[8*p+:8] = ar_len[8*First+:8];
      assign r_valid[First] = m_axi_rvalid_i[p];
      assign m_axi_rready_o[p] = r_ready[First];
    end else begin : gen_quiet
      assign m_axi_arvalid_o[p] = 1'b0;
      assign m_axi_araddr_o[40*p+:40] = '0;
      assign m_axi_arlen_o[8*p+:8] = '0;
      assign m_axi_rready_o[p] = 1'b1;
    end
    if (p != StorePort) begin : gen_no_writes
      assign m_axi_awvalid_o[p] = 1'b0;
      assign m_axi_awaddr_o[40*p+:40] = '0;
      assign m_axi_awlen_o[8*p+:8] = '0;
      assign m_axi_wvalid_o[p] = 1'b0;
      assign m_axi_wdata_o[128*p+:128] = '0;
      assign m_axi_wstrb_o[16*p+:16] = '0;
      assign m_axi_wlast_o[p] = 1'b0;
      assign m_axi_bready_o[p] = 1'b1;
    end
  end

  axi_write_dma #(.MaxBurstBeats(MaxBurstBeats), .MaxBursts(MaxBursts)) u_write (
      .clk_i, .rst_ni, .request_valid_i(write_valid_i), .request_ready_o(write_ready_o),
      .request_address_i(write_address_i), .request_bytes_i(write_bytes_i), .split_o, .sent_o, .answered_o,
      .error_o(write_error_o), .beat_valid_i, .beat_ready_o, .beat_i, .beat_strobe_i,
      .aw_valid_o(m_axi_awvalid_o[StorePort]), .aw_ready_i(m_axi_awready_i[StorePort]),
      .aw_addr_o(m_axi_awaddr_o[40*StorePort+:40]), .aw_len_o(m_axi_awlen_o[8*StorePort+:8]),
      .w_valid_o(m_axi_wvalid_o[StorePort]), .w_ready_i(m_axi_wready_i[StorePort]),
      .w_data_o(m_axi_wdata_o[128*StorePort+:128]), .w_strb_o(m_axi_wstrb_o[16*StorePort+:16]),
      .w_last_o(m_axi_wlast_o[StorePort]), .b_valid_i(m_axi_bvalid_i[StorePort]),
      .b_ready_o(m_axi_bready_o[StorePort]), .b_resp_i(m_axi_bresp_i[2*StorePort+:2]));

  // Signals of ports without readers, or without writes.
  logic unused_ports;
  assign unused_ports = ^{m_axi_arready_i, m_axi_rvalid_i, m_axi_rdata_i, m_axi_rresp_i, m_axi_rlast_i,
                          m_axi_awready_i, m_axi_wready_i, m_axi_bvalid_i, m_axi_bresp_i};
  initial assert (DmaPorts == 1 || DmaPorts == 2 || DmaPorts == 4);
endmodule

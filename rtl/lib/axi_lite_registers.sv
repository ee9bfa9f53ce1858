// AXI4-Lite registers of an accelerator: identity, start, status, cycles, interrupt, and its parameters.
//
// Contract: 32-bit accesses, no byte strobes; the map is in rtl/README.md. Latency: a write is answered
// 1 cycle after its address and data are there, a read 1 cycle after its address.
module axi_lite_registers #(
  parameter logic [31:0] Id = 32'h4C49_4348,
  parameter logic [31:0] Version = 32'h1,
  parameter int unsigned Count = 1,  // of values
  parameter logic [32*Count-1:0] Values = '0,  // of the design, read from 0x40 on, the first lowest
  parameter bit HasProgramWords = 1'b0
) (
  input  logic        clk_i,
  input  logic        rst_ni,  // synchronous, active low
  input  logic        awvalid_i,
  output logic        awready_o,
  input  logic [ 7:0] awaddr_i,
  input  logic        wvalid_i,
  output logic        wready_o,
  input  logic [31:0] wdata_i,
  output logic        bvalid_o,
  input  logic        bready_i,
  input  logic        arvalid_i,
  output logic        arready_o,
  input  logic [ 7:0] araddr_i,
  output logic        rvalid_o,
  input  logic        rready_i,
  output logic [31:0] rdata_o,
  output logic        start_o,  // pulse
  output logic [39:0] program_o,
  output logic [15:0] program_words_o,  // 0 without HasProgramWords
  input  logic        busy_i,
  input  logic        finished_i,  // pulse
  input  logic [ 2:0] errors_i,  // pulses: unknown instruction, read response, write response
  output logic        interrupt_o
);
  logic done_q, interrupt_enable_q, interrupt_q;
  logic [2:0] errors_q;
  logic [31:0] program_low_q;
  logic [7:0] program_high_q;
  logic [15:0] program_words_q;
  logic [63:0] cycles_q;

  logic write, read;
  assign write = awvalid_i && wvalid_i && (!bvalid_o || bready_i);
  assign awready_o = write;
  assign wready_o = write;
  assign arready_o = !rvalid_o || rready_i;
  assign read = arvalid_i && arready_o;
  assign program_o = {program_high_q, program_low_q};
  assign program_words_o = program_words_q;
  assign interrupt_o = interrupt_q && interrupt_enable_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      bvalid_o <= 1'b0;
      rvalid_o <= 1'b0;
      start_o <= 1'b0;
      done_q <= 1'b0;
      errors_q <= '0;
      interrupt_enable_q <= 1'b0;
      interrupt_q <= 1'b0;
      program_low_q <= '0;
      program_high_q <= '0;
      program_words_q <= '0;
      cycles_q <= '0;
    end else begin
      bvalid_o <= write || (bvalid_o && !bready_i);
      rvalid_o <= read || (rvalid_o && !rready_i);
      start_o <= 1'b0;
      if (busy_i) cycles_q <= cycles_q + 64'd1;
      if (write) begin
        case (awaddr_i[7:2])
          6'h02: start_o <= wdata_i[0] && !busy_i && !start_o;
          6'h04: program_low_q <= wdata_i;
          6'h05: program_high_q <= wdata_i[7:0];
          6'h08: interrupt_enable_q <= wdata_i[0];
          6'h09: interrupt_q <= interrupt_q && !wdata_i[0];
          6'h0B: if (HasProgramWords) program_words_q <= wdata_i[15:0];
          default: ;
        endcase
      end
      errors_q <= errors_q | errors_i;
      if (finished_i) begin
        done_q <= 1'b1;
        interrupt_q <= 1'b1;
      end
      if (start_o) begin
        done_q <= 1'b0;
        errors_q <= '0;
        cycles_q <= '0;
      end
    end
  end

  logic [31:0] value;
  always_comb begin
    value = '0;
    for (int unsigned k = 0; k < Count; k++) if (araddr_i[7:2] == 6'(16 + k)) value = Values[32*k+:32];
  end
  always_ff @(posedge clk_i) begin
    if (read) begin
      case (araddr_i[7:2])
        6'h00: rdata_o <= Id;
        6'h01: rdata_o <= Version;
        6'h03: rdata_o <= {29'b0, errors_q != '0, done_q, busy_i || start_o};
        6'h04: rdata_o <= program_low_q;
        6'h05: rdata_o <= {24'b0, program_high_q};
        6'h06: rdata_o <= cycles_q[31:0];
        6'h07: rdata_o <= cycles_q[63:32];
        6'h08: rdata_o <= {31'b0, interrupt_enable_q};
        6'h09: rdata_o <= {31'b0, interrupt_q};
        6'h0A: rdata_o <= {29'b0, errors_q};
        6'h0B: rdata_o <= {16'b0, program_words_q};
        default: rdata_o <= value;
      endcase
    end
  end

  logic unused_bits;
  assign unused_bits = ^{awaddr_i[1:0], araddr_i[1:0]};
endmodule

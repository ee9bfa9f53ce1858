// Fetch: reads instructions in order and hands each to its unit's queue, until END.
//
// Contract: start_i begins at program_i (a multiple of 32 bytes). Memory is read in blocks that end
// at multiples of 256 bytes; the block that holds END is the last. Latency: an instruction is
// handed out at the earliest 2 cycles after the one before.
module tile_fetch (
  input  logic         clk_i,
  input  logic         rst_ni,  // synchronous, active low
  input  logic         start_i,
  input  logic [ 39:0] program_i,
  output logic         ended_o,  // END was seen, and nothing more comes from memory
  output logic         unknown_o,  // an unknown opcode was taken as END
  output logic         request_valid_o,
  input  logic         request_ready_i,
  output logic [ 39:0] request_address_o,
  output logic [ 31:0] request_bytes_o,
  input  logic         beat_valid_i,
  output logic         beat_ready_o,
  input  logic [127:0] beat_i,
  output logic [  3:0] valid_o,  // LOAD, WEIGHT, COMPUTE, STORE
  input  logic [  3:0] ready_i,
  output logic [255:0] instruction_o
);
  logic running_q, request_q, upper_q, whole_q, ended_q;
  logic [39:0] address_q;
  logic [8:0] bytes_q;  // of the block, from address_q on
  logic [4:0] left_q;  // beats of the block that have not come
  logic [127:0] lower_q;
  logic [255:0] instruction_q;

  logic [3:0] opcode, unit;
  logic taken, ends;
  assign opcode = instruction_q[3:0];
  always_comb begin
    unit = '0;
    case (opcode)
      tile_pkg::OpLoad: unit = 4'b0001;
      tile_pkg::OpWeight: unit = 4'b0010;
      tile_pkg::OpCompute: unit = 4'b0100;
      tile_pkg::OpStore: unit = 4'b1000;
      default: unit = '0;
    endcase
  end
  assign ends = whole_q && running_q && unit == '0;
  assign taken = whole_q && (ends || !running_q || (unit & ready_i) != '0);
  assign valid_o = whole_q && running_q ? unit : '0;
  assign instruction_o = instruction_q;

  assign ended_o = ended_q && left_q == '0 && !whole_q;

  logic beat;
  assign beat_ready_o = !upper_q || !whole_q || taken;
  assign beat = beat_valid_i && beat_ready_o;
  assign request_valid_o = request_q;
  assign request_address_o = address_q;
  assign request_bytes_o = 32'(bytes_q);

  always_ff @(posedge clk_i) begin
    if (beat && !upper_q) lower_q <= beat_i;
    if (beat && upper_q) instruction_q <= {beat_i, lower_q};
    if (!rst_ni) begin
      running_q <= 1'b0;
      request_q <= 1'b0;
      upper_q <= 1'b0;
      whole_q <= 1'b0;
      ended_q <= 1'b0;
      unknown_o <= 1'b0;
      left_q <= '0;
      address_q <= '0;
      bytes_q <= 9'd256;
    end else begin
      if (beat) upper_q <= !upper_q;
      if (beat && upper_q) whole_q <= 1'b1;
      else if (taken) whole_q <= 1'b0;
      if (beat) left_q <= left_q - 1'b1;
      unknown_o <= ends && opcode != tile_pkg::OpEnd;
      if (ends) begin
        running_q <= 1'b0;
        ended_q <= 1'b1;
      end
      // The next block is asked for when this one's last instruction was handed out.
      if (request_q && request_ready_i) begin
        request_q <= 1'b0;
        left_q <= 5'd16 - {1'b0, address_q[7:4]};
        address_q <= {address_q[39:8] + 32'd1, 8'd0};
        bytes_q <= 9'd256;
      end else if (running_q && !request_q && left_q == '0 && taken && !ends) begin
        request_q <= 1'b1;
      end
      if (start_i) begin
        running_q <= 1'b1;
        request_q <= 1'b1;
        ended_q <= 1'b0;
        address_q <= program_i;
        bytes_q <= 9'd256 - {1'b0, program_i[7:0]};
      end
    end
  end
endmodule

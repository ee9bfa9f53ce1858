// Runs the program: loops, addresses of iterations, and instructions to the units' queues.
//
// Contract: start_i loads the program (load_program_o, program_loaded_i), then instructions run from
// word 0 to END. instruction_o is valid with push_o, one bit for each of LOAD, WEIGHT, COMPUTE, STORE.
// Cycles of an instruction: LOOP and NEXT 4, others 6 and the wait for room in their queue.
module fusion_sequencer #(
  parameter int unsigned ProgramWords = 64,
  localparam int unsigned AddrWidth = $clog2(ProgramWords)
) (
  input  logic                 clk_i,
  input  logic                 rst_ni,  // synchronous, active low
  input  logic                 start_i,
  output logic                 busy_o,
  output logic                 finished_o,  // pulse
  output logic                 unknown_o,  // pulse: an instruction that there is not, taken as END
  output logic                 load_program_o,  // pulse
  input  logic                 program_loaded_i,  // pulse
  output logic [AddrWidth-1:0] read_addr_o,
  input  logic [        255:0] read_data_i,  // 2 cycles later
  output logic [          3:0] push_o,
  input  logic [          3:0] ready_i,
  output logic [        255:0] instruction_o,
  input  logic                 idle_i  // all units, queues included
);
  typedef enum logic [3:0] {
    Idle,
    Program,
    Read0,
    Read1,
    Decode,
    Execute,
    Address,
    Push,
    Drain
  } state_t;
  state_t state_q;

  // Of both loops, loop 0 low.
  logic [AddrWidth-1:0] pc_q;
  logic [2*AddrWidth-1:0] first_q;
  logic [31:0] iteration_q, limit_q;
  logic [15:0] next_iteration;
  logic [255:0] ir_q;
  logic [39:0] p0_q, p1_q;
  logic [35:0] address_q;
  logic [9:0] word_q;

  logic [3:0] opcode, unit;
  logic level, is_unit, is_compute;
  assign opcode = ir_q[3:0];
  assign level = ir_q[18];
  assign is_unit = opcode >= fusion_pkg::OpLoad && opcode <= fusion_pkg::OpStore;
  assign is_compute = opcode == fusion_pkg::OpCompute;
  assign unit = is_unit ? 4'b1 << (opcode - fusion_pkg::OpLoad) : '0;

  assign next_iteration = iteration_q[16*level+:16] + 16'd1;
  assign read_addr_o = pc_q;
  assign busy_o = state_q != Idle;
  assign load_program_o = state_q == Idle && start_i;
  assign finished_o = state_q == Drain && idle_i;
  assign unknown_o = state_q == Execute && opcode > fusion_pkg::OpStore;
  assign push_o = state_q == Push ? unit & ready_i : '0;
  always_comb begin
    instruction_o = ir_q;
    if (is_compute) instruction_o[145:136] = word_q;
    else instruction_o[53:18] = address_q;
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      state_q <= Idle;
    end else begin
      case (state_q)
        Idle: if (start_i) state_q <= Program;
        Program: if (program_loaded_i) state_q <= Read0;
        Read0: state_q <= Read1;
        Read1: state_q <= Decode;
        Decode: state_q <= Execute;
        Execute: state_q <= is_unit ? Address : opcode == fusion_pkg::OpLoop || opcode == fusion_pkg::OpNext ? Read0 : Drain;
        Address: state_q <= Push;
        Push: if (push_o != '0) state_q <= Read0;
        Drain: if (idle_i) state_q <= Idle;
        default: state_q <= Idle;
      endcase
    end
  end

  always_ff @(posedge clk_i) begin
    if (state_q == Idle) begin
      pc_q <= '0;
      iteration_q <= '0;
    end
    if (state_q == Decode) ir_q <= read_data_i;
    if (state_q == Execute) begin
      p0_q <= 40'(iteration_q[15:0]) * 40'(ir_q[77:54]);
      p1_q <= 40'(iteration_q[31:16]) * (is_compute ? {30'b0, ir_q[155:146]} : {16'b0, ir_q[101:78]});
      if (opcode == fusion_pkg::OpLoop) begin
        pc_q <= pc_q + 1'b1;
        first_q[AddrWidth*level+:AddrWidth] <= pc_q + 1'b1;
        limit_q[16*level+:16] <= ir_q[34:19];
        iteration_q[16*level+:16] <= '0;
      end
      if (opcode == fusion_pkg::OpNext) begin
        if (next_iteration < limit_q[16*level+:16]) begin
          iteration_q[16*level+:16] <= next_iteration;
          pc_q <= first_q[AddrWidth*level+:AddrWidth];
        end else begin
          iteration_q[16*level+:16] <= '0;
          pc_q <= pc_q + 1'b1;
        end
      end
    end
    if (state_q == Address) begin
      address_q <= ir_q[53:18] + p0_q[35:0] + p1_q[35:0];
      word_q <= ir_q[145:136] + p1_q[9:0];
    end
    if (push_o != '0) pc_q <= pc_q + 1'b1;
  end

  logic unused_bits;
  assign unused_bits = ^{p0_q[39:36], p1_q[39:36]};
endmodule

// Weight unit: WEIGHT instructions; fills the weight buffer and the parameter buffer from
// contiguous memory.
//
// Contract: an instruction starts when its tokens are there and the one before has sent its
// request. A word of weights is written when its last beat is there, a record of parameters is a
// beat. A beat a cycle.
// Latency: the request goes out in the cycle after the start, a beat taken in cycle t is written in
// t + 1; give_o comes with the last write.
module tile_weight #(
  parameter int unsigned Pif = 2,
  parameter int unsigned Pof = 4,
  parameter int unsigned OperandBits = 16,
  localparam int unsigned RecordWidth = $clog2(Pof)
) (
  input  logic                            clk_i,
  input  logic                            rst_ni,  // synchronous, active low
  input  logic                            valid_i,
  output logic                            ready_o,
  input  logic [tile_pkg::WeightBits-1:0] instruction_i,
  input  logic [                     6:0] available_i,
  output logic [                     6:0] take_o,
  output logic [                     6:0] give_o,
  output logic                            idle_o,
  output logic                            request_valid_o,
  input  logic                            request_ready_i,
  output logic [                    39:0] request_address_o,
  output logic [                    31:0] request_bytes_o,
  input  logic                            beat_valid_i,
  output logic                            beat_ready_o,
  input  logic [                   127:0] beat_i,
  output logic                            weight_write_o,
  output logic [                    15:0] weight_addr_o,
  output logic [ OperandBits*Pif*Pof-1:0] weight_data_o,
  output logic                            parameter_write_o,
  output logic [                    15:0] parameter_word_o,
  output logic [         RecordWidth-1:0] parameter_record_o,
  output logic [                   127:0] parameter_data_o
);
  localparam int unsigned WeightBeats = Pif * Pof * OperandBits / 128;  // per word
  localparam int unsigned Beats = WeightBeats > Pof ? WeightBeats : Pof;
  localparam int unsigned BeatWidth = $clog2(Beats + 1);

  tile_pkg::weight_t offered, job;
  assign offered = instruction_i;

  logic start, job_ready, job_valid, job_done, request_q;
  logic [tile_pkg::WeightBits-1:0] job_bits;
  assign job = job_bits;
  assign start = valid_i && !request_q && job_ready && (offered.wait_mask & ~available_i) == '0;
  assign ready_o = start;
  assign take_o = start ? offered.wait_mask : '0;
  assign request_valid_o = request_q;
  assign idle_o = !request_q && !job_valid && give_o == '0;

  always_ff @(posedge clk_i) begin
    if (start) begin
      request_address_o <= offered.address;
      request_bytes_o <= offered.target ? 32'(offered.words) * 32'(16 * Pof) : 32'(offered.words) * 32'(16 * WeightBeats);
    end
    if (!rst_ni) request_q <= 1'b0;
    else request_q <= start || (request_q && !request_ready_i);
  end

  stream_fifo #(.DataWidth(tile_pkg::WeightBits), .Depth(2)) u_jobs (
      .clk_i, .rst_ni, .valid_i(start), .ready_o(job_ready), .data_i(instruction_i), .valid_o(job_valid),
      .ready_i(job_done), .data_o(job_bits));

  // The job's next word and beat.
  logic [19:0] word_q;
  logic [BeatWidth-1:0] beat_q;
  logic take, last_beat;
  assign beat_ready_o = job_valid;
  assign take = beat_valid_i && beat_ready_o;
  assign last_beat = beat_q == (job.target ? BeatWidth'(Pof - 1) : BeatWidth'(WeightBeats - 1));
  assign job_done = take && last_beat && word_q + 1'b1 == job.words;

  // A word's first beat is in place when its last one has come.
  always_ff @(posedge clk_i) begin
    if (take) weight_data_o <= (128 * WeightBeats)'({beat_i, weight_data_o} >> 128);
    weight_addr_o <= job.base + word_q[15:0];
    parameter_word_o <= job.base + word_q[15:0];
    parameter_record_o <= beat_q[RecordWidth-1:0];
    parameter_data_o <= beat_i;
    if (!rst_ni) begin
      word_q <= '0;
      beat_q <= '0;
      weight_write_o <= 1'b0;
      parameter_write_o <= 1'b0;
      give_o <= '0;
    end else begin
      weight_write_o <= take && !job.target && last_beat;
      parameter_write_o <= take && job.target;
      give_o <= job_done ? job.signal_mask : '0;
      if (take) begin
        beat_q <= last_beat ? '0 : beat_q + 1'b1;
        if (last_beat) word_q <= job_done ? '0 : word_q + 1'b1;
      end
    end
  end

  logic unused_job;
  assign unused_job = ^job;
endmodule

// Splits ranges of memory into bursts: the next burst is always ready in registers.
//
// Contract: a request covers the beats of 16 bytes of [address, address + bytes), bytes above 0. No
// burst crosses 4 KiB or has more than MaxBurstBeats. Latency: the first burst of a request is there
// in the cycle after it was taken, the next one in the cycle after take_i.
module burst_splitter #(
  parameter int unsigned MaxBurstBeats = 64  // at most 256
) (
  input  logic        clk_i,
  input  logic        rst_ni,  // synchronous, active low
  input  logic        request_valid_i,
  output logic        request_ready_o,
  input  logic [39:0] request_address_i,
  input  logic [31:0] request_bytes_i,
  output logic        valid_o,
  output logic [35:0] beat_address_o,
  output logic [ 7:0] len_o,  // beats less 1
  input  logic        take_i  // only where valid_o
);
  localparam logic [8:0] Most = 9'(MaxBurstBeats);

  logic [28:0] left_q;  // beats, with the burst's
  logic [8:0] page_left_q;  // beats to the next 4 KiB
  logic [8:0] beats_q;
  logic last_q;  // the burst is the request's last
  assign len_o = 8'(beats_q - 9'd1);

  // The first burst of the offered request, and the burst after this one.
  logic [28:0] request_beats, next_left;
  logic [8:0] request_page, next_page, request_most, next_most, page_rest;
  logic request_last, next_last;
  assign request_beats = 29'(({1'b0, request_bytes_i} + {29'b0, request_address_i[3:0]} + 33'd15) >> 4);
  assign request_page = 9'd256 - {1'b0, request_address_i[11:4]};
  assign request_most = request_page > Most ? Most : request_page;
  assign request_last = request_beats <= {20'b0, request_most};
  assign next_left = left_q - {20'b0, beats_q};
  assign page_rest = page_left_q - beats_q;
  assign next_page = page_rest == '0 ? 9'd256 : page_rest;
  assign next_most = next_page > Most ? Most : next_page;
  assign next_last = next_left <= {20'b0, next_most};

  assign request_ready_o = !valid_o || (take_i && last_q);

  always_ff @(posedge clk_i) begin
    if (request_ready_o) begin
      beat_address_o <= request_address_i[39:4];
      left_q <= request_beats;
      page_left_q <= request_page;
      beats_q <= request_last ? request_beats[8:0] : request_most;
      last_q <= request_last;
    end else if (take_i) begin
      beat_address_o <= beat_address_o + {27'b0, beats_q};
      left_q <= next_left;
      page_left_q <= next_page;
      beats_q <= next_last ? next_left[8:0] : next_most;
      last_q <= next_last;
    end
    if (!rst_ni) valid_o <= 1'b0;
    else if (request_ready_o) valid_o <= request_valid_i;
  end

  initial assert (MaxBurstBeats >= 1 && MaxBurstBeats <= 256);
endmodule

// The original fusion machine: executes an instruction stream brick by brick.
//
// Contract: every brick's product of two by two bits is shifted by its place and its quadrant's configuration and added to its
// column's accumulator; the sum goes to the column's output buffer, four bytes at the address of its staddr. Streams are
// untrusted (stream_reader.h): errors name the line.
#pragma once

#include <string_view>
#include <vector>

#include "accel/fusion/operands.h"
#include "accel/fusion/stream_reader.h"
#include "accel/fusion/window_job.h"
#include "base/result.h"

namespace lichen::fusion {

struct StreamRun {
  std::vector<uint32_t> sums;  // of the columns' uses, in the stream's order
  Counts counts;               // of the stream; totals are those of the job's array
};

// The stream, which must be one for the job: its counts are compared with the job's. The output buffer's size is a limit in
// mode kFixed alone.
Result<StreamRun> RunStream(const WindowJob& job, const Operands& operands, std::string_view text);

// The same sums and counts, computed as convolutions without the stream. `job` comes from Prepare().
StreamRun RunFast(const WindowJob& job, const Operands& operands);

// The job of a stream that nothing else is known of: operand widths, array (as far as it is used) and padding from
// its instructions, mode kFixed, buffers as large as needed. Requires shapes from ShapeOf(). Error: a line is wrong, or no
// padding of these shapes gives the stream's windows.
Result<WindowJob> InferJob(std::string_view text, const Shape3& input, const Shape3& kernel);

}  // namespace lichen::fusion

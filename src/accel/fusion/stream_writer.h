// The instruction text of the original fusion machine for a convolution.
//
// Contract: `job` comes from Prepare(). The text is the original compiler's to the byte, but where Prepare() warns that the
// original's own addresses go wrong:
//   #cycle<N>                                            from 1
//   staddr OBUF_x_<column> 0x<byte>                      where the column's sum goes: 4 * its uses so far
//   FU_<row>_<column>:shconfig <a> <b> <c> <d>           shifts of the quadrants
//   FU_<row>_<column>:BB_<i>_<j>:mul2 0x<byte>-<bit> 0x<byte>-<bit>    two input bits times two weight bits
// Input byte (n * padded height + y) * padded width + x of the padded pictures, weight byte (k * height + ky) * width + kx.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "accel/fusion/window_job.h"
#include "base/result.h"

namespace lichen::fusion {

inline constexpr int64_t kMaxStreamBytes = int64_t{1} << 30;

// Owns the text; not a std::string, which would clear megabytes only to have them written.
class StreamText {
 public:
  StreamText(std::unique_ptr<char[]> bytes, size_t size) : bytes_(std::move(bytes)), size_(size) {}
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

// Error: the text could exceed kMaxStreamBytes.
Result<StreamText> WriteStream(const WindowJob& job);

}  // namespace lichen::fusion

// A convolution for the original fusion machine: its shapes, the array, and what the machine's columns do with its windows.
//
// Contract: pictures n x height x width and filters k x kernel_h x kernel_w of unsigned numbers; every picture meets every
// filter, stride 1, no sum over pictures. Order of the windows: picture, filter, output row, output column. The products of
// a window fill the units of a column from row 0; what is left takes the next column. Mode kCompat has the faults of the
// original, kFixed has them mended; the text of a stream is the same where no fault shows. Method: Bit Fusion's compiler
// (docs/fusion.md).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "accel/fusion/brick_layout.h"
#include "base/result.h"
#include "base/tensor.h"

namespace lichen::fusion {

inline constexpr int64_t kMaxArraySide = 1024;
inline constexpr int64_t kMaxExtent = 65536;  // of shapes and padding

enum class Mode { kCompat, kFixed };
std::string_view Name(Mode mode);
Result<Mode> ParseMode(std::string_view text);

// Three sizes, written `1x5x5`; two numbers mean one picture or filter.
struct Shape3 {
  int64_t count = 1;
  int64_t height = 1;
  int64_t width = 1;
  bool operator==(const Shape3&) const = default;
};
Result<Shape3> ParseShape3(std::string_view text);
std::string ToText(const Shape3& shape);
// Rows by columns, written `4x4`.
Result<Size2> ParseArray(std::string_view text);

// The defaults are those that the original documents.
struct WindowJob {
  Mode mode = Mode::kFixed;
  Shape3 input = {10, 28, 28};
  Shape3 kernel = {3, 3, 3};
  int64_t padding = 0;  // zeros on every side
  Size2 array = {16, 16};
  int64_t ibuf_bytes = 128;  // holds the padded pictures
  int64_t wbuf_bytes = 128;
  int64_t obuf_bytes = 1024;  // of each column
  OperandPair pair;

  int64_t PaddedHeight() const { return input.height + 2 * padding; }
  int64_t PaddedWidth() const { return input.width + 2 * padding; }
  int64_t InputBytes() const { return input.count * PaddedHeight() * PaddedWidth(); }
  int64_t Taps() const { return kernel.height * kernel.width; }
  int64_t WeightBytes() const { return kernel.count * Taps(); }
  // 0 where the kernel is larger than the picture.
  int64_t OutputHeight() const;
  int64_t OutputWidth() const;
  int64_t Windows() const;
  int64_t Capacity() const { return ColumnCapacity(pair, array.h); }
  // Columns that a window takes.
  int64_t ColumnsPerWindow() const { return (Taps() + Capacity() - 1) / Capacity(); }
  // The products of the part'th column of a window.
  int64_t TapsOfPart(int64_t part) const;
  // How often columns are used in all; in the order of windows, use u is column u % array.w of cycle u / array.w.
  int64_t Uses() const { return Windows() * ColumnsPerWindow(); }
};

struct Counts {
  int64_t cycles = 0;
  int64_t bricks_used = 0;
  int64_t bricks_total = 0;
  int64_t units_used = 0;
  int64_t units_total = 0;
  int64_t instructions = 0;  // lines other than #cycle
  bool operator==(const Counts&) const = default;
};

Counts Count(const WindowJob& job);

// Uses of the column that is used most.
int64_t UsesPerColumn(const WindowJob& job);

struct PreparedJob {
  WindowJob job;
  std::vector<std::string> warnings;  // the faults of the original that it has
};

// Checks sizes and widths (errors in any mode), then buffers and kernel: errors in mode kFixed, warnings in mode kCompat,
// where the padding also becomes the one that the original uses.
Result<PreparedJob> Prepare(const WindowJob& asked);

}  // namespace lichen::fusion

#include "accel/fusion/window_job.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace lichen::fusion {
namespace {

constexpr int64_t kMaxTaps = 65536;  // their sum of 8-bit products is below 2^32
constexpr int64_t kMaxBytes = int64_t{1} << 31;
constexpr int64_t kMaxProducts = int64_t{1} << 48;
constexpr int64_t kOriginalKernelBytes = 16;  // more, and the original's addresses go wrong

// "AxBxC" as numbers; nothing where it is something else.
std::vector<int64_t> Numbers(std::string_view text) {
  std::vector<int64_t> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc()) return {};
    numbers.push_back(number);
    if (next == end) return numbers;
    if (*next != 'x') return {};
    at = next + 1;
  }
}

Result<void> CheckExtent(std::string_view what, int64_t value, int64_t least, int64_t most) {
  if (value >= least && value <= most) return {};
  return Fail("{} is {}; it must be {} to {}", what, value, least, most);
}

Result<void> CheckSizes(const WindowJob& job) {
  LICHEN_TRY_VOID(CheckExtent("the number of pictures", job.input.count, 1, kMaxExtent));
  LICHEN_TRY_VOID(CheckExtent("the picture's height", job.input.height, 1, kMaxExtent));
  LICHEN_TRY_VOID(CheckExtent("the picture's width", job.input.width, 1, kMaxExtent));
  LICHEN_TRY_VOID(CheckExtent("the number of filters", job.kernel.count, 1, kMaxExtent));
  LICHEN_TRY_VOID(CheckExtent("the kernel's height", job.kernel.height, 1, kMaxExtent));
  LICHEN_TRY_VOID(CheckExtent("the kernel's width", job.kernel.width, 1, kMaxExtent));
  LICHEN_TRY_VOID(CheckExtent("the array's rows", job.array.h, 1, kMaxArraySide));
  LICHEN_TRY_VOID(CheckExtent("the array's columns", job.array.w, 1, kMaxArraySide));
  LICHEN_TRY_VOID(CheckExtent("the input buffer's bytes", job.ibuf_bytes, 1, kMaxBytes));
  LICHEN_TRY_VOID(CheckExtent("the weight buffer's bytes", job.wbuf_bytes, 1, kMaxBytes));
  LICHEN_TRY_VOID(CheckExtent("the output buffer's bytes", job.obuf_bytes, 1, kMaxBytes));
  if (!IsKnown(job.pair)) {
    return Fail("operands of {} and {} bits: widths are 2, 4, 6 and 8", job.pair.input_bits,
                job.pair.weight_bits);
  }
  // Each product below is of factors that the lines before have bounded.
  if (job.PaddedHeight() * job.PaddedWidth() > kMaxBytes || job.InputBytes() > kMaxBytes) {
    return Fail("the pictures {} with padding {} have more than {} bytes", ToText(job.input),
                job.padding, kMaxBytes);
  }
  if (job.Taps() > kMaxTaps || job.WeightBytes() > kMaxBytes) {
    return Fail("the kernel {} is too large: {} weights of a filter and {} bytes are allowed",
                ToText(job.kernel), kMaxTaps, kMaxBytes);
  }
  if (job.Windows() > kMaxProducts / job.Taps()) {
    return Fail("pictures {} and kernel {} have more than {} products", ToText(job.input),
                ToText(job.kernel), kMaxProducts);
  }
  return {};
}

std::string TooSmall(std::string_view buffer, std::string_view option, int64_t has, int64_t needs) {
  return fmt::format("the {} buffer has {} bytes of the {} needed; give --{} {}", buffer, has,
                     needs, option, needs);
}

Result<void> CheckFixed(const WindowJob& job) {
  if (job.Windows() == 0) {
    return Fail("the kernel {} is larger than the picture {} with padding {}", ToText(job.kernel),
                ToText(job.input), job.padding);
  }
  if (job.InputBytes() > job.ibuf_bytes) {
    return Fail("{}", TooSmall("input", "ibuf", job.ibuf_bytes, job.InputBytes()));
  }
  if (job.WeightBytes() > job.wbuf_bytes) {
    return Fail("{}", TooSmall("weight", "wbuf", job.wbuf_bytes, job.WeightBytes()));
  }
  if (const int64_t needs = 4 * UsesPerColumn(job); needs > job.obuf_bytes) {
    return Fail("{}", TooSmall("output", "obuf", job.obuf_bytes, needs));
  }
  return {};
}

std::vector<std::string> Faults(const WindowJob& asked, const WindowJob& job) {
  std::vector<std::string> faults;
  if (asked.padding != job.padding) {
    faults.push_back(fmt::format("compat: padding {} counts as 0", asked.padding));
  }
  if (job.Windows() == 0) {
    faults.push_back("compat: the kernel is larger than the picture: one empty cycle");
  }
  if (job.pair == OperandPair{2, 4}) {
    faults.push_back("compat: the original fails for (2,4); this works as (4,2) does");
  }
  if (job.Windows() > 0 && job.ColumnsPerWindow() > 1) {
    faults.push_back(fmt::format("compat: the {} partial sums of a window are not added",
                                 job.ColumnsPerWindow()));
  }
  constexpr std::string_view kRight =
      "the original's addresses go wrong there; the stream has the right ones";
  if (job.Taps() > kOriginalKernelBytes) {
    faults.push_back(fmt::format("compat: a filter has {} bytes, more than {}: {}", job.Taps(),
                                 kOriginalKernelBytes, kRight));
  }
  if (job.InputBytes() > job.ibuf_bytes) {
    faults.push_back(fmt::format("compat: the pictures' {} bytes exceed the input buffer's {}: {}",
                                 job.InputBytes(), job.ibuf_bytes, kRight));
  }
  if (job.WeightBytes() > job.wbuf_bytes) {
    faults.push_back(fmt::format("compat: the kernel's {} bytes exceed the weight buffer's {}: {}",
                                 job.WeightBytes(), job.wbuf_bytes, kRight));
  }
  if (const int64_t needs = 4 * UsesPerColumn(job); needs > job.obuf_bytes) {
    faults.push_back(
        fmt::format("compat: the stream writes {} bytes of a column's output buffer of {}", needs,
                    job.obuf_bytes));
  }
  return faults;
}

}  // namespace

std::string_view Name(Mode mode) { return mode == Mode::kCompat ? "compat" : "fixed"; }

Result<Mode> ParseMode(std::string_view text) {
  for (const Mode mode : {Mode::kCompat, Mode::kFixed}) {
    if (text == Name(mode)) return mode;
  }
  return Fail("mode '{}': there are compat and fixed", text);
}

Result<Shape3> ParseShape3(std::string_view text) {
  const std::vector<int64_t> n = Numbers(text);
  if (n.size() == 2) return Shape3{1, n[0], n[1]};
  if (n.size() == 3) return Shape3{n[0], n[1], n[2]};
  return Fail("'{}' is no shape; write COUNTxHEIGHTxWIDTH, such as 1x5x5, or HEIGHTxWIDTH", text);
}

std::string ToText(const Shape3& shape) {
  return fmt::format("{}x{}x{}", shape.count, shape.height, shape.width);
}

Result<Size2> ParseArray(std::string_view text) {
  const std::vector<int64_t> n = Numbers(text);
  if (n.size() == 2) return Size2{n[0], n[1]};
  return Fail("'{}' is no array; write ROWSxCOLUMNS, such as 16x16", text);
}

int64_t WindowJob::OutputHeight() const {
  return std::max<int64_t>(0, PaddedHeight() - kernel.height + 1);
}
int64_t WindowJob::OutputWidth() const {
  return std::max<int64_t>(0, PaddedWidth() - kernel.width + 1);
}
int64_t WindowJob::Windows() const {
  return input.count * kernel.count * OutputHeight() * OutputWidth();
}
int64_t WindowJob::TapsOfPart(int64_t part) const {
  return std::min(Capacity(), Taps() - part * Capacity());
}

Counts Count(const WindowJob& job) {
  const int64_t windows = job.Windows();
  int64_t units = 0;
  for (int64_t part = 0; part < job.ColumnsPerWindow(); ++part) {
    units += UnitsOf(job.pair, job.TapsOfPart(part));
  }
  Counts counts;
  counts.cycles = std::max<int64_t>(1, UsesPerColumn(job));
  counts.bricks_used = windows * job.Taps() * BricksOf(job.pair);
  counts.units_used = windows * units;
  counts.units_total = counts.cycles * job.array.h * job.array.w;
  counts.bricks_total = counts.units_total * kBricksPerUnit;
  counts.instructions = counts.bricks_used + counts.units_used + job.Uses();
  return counts;
}

int64_t UsesPerColumn(const WindowJob& job) { return (job.Uses() + job.array.w - 1) / job.array.w; }

Result<PreparedJob> Prepare(const WindowJob& asked) {
  WindowJob job = asked;
  LICHEN_TRY_VOID(CheckExtent("the padding", job.padding, 0, kMaxExtent));
  if (job.mode == Mode::kCompat && job.padding != 1) job.padding = 0;
  LICHEN_TRY_VOID(CheckSizes(job));
  if (job.mode == Mode::kCompat) return PreparedJob{job, Faults(asked, job)};
  LICHEN_TRY_VOID(CheckFixed(job));
  return PreparedJob{job, {}};
}

}  // namespace lichen::fusion

#include "accel/fusion/stream_reader.h"

#include <algorithm>
#include <cctype>
#include <cstring>

namespace lichen::fusion {
namespace {

// The bytes of a brick's line and what follows it. Lines that are longer are not read as repeats.
struct LineBytes {
  using Part = uint64_t
      __attribute__((vector_size(16)));  // GCC and Clang: a register of any x86-64 or Arm machine
  static constexpr int64_t kCount = 48;
  Part a, b, c;

  static LineBytes Load(const char* at) {
    LineBytes bytes;
    std::memcpy(&bytes.a, at, 16);
    std::memcpy(&bytes.b, at + 16, 16);
    std::memcpy(&bytes.c, at + 32, 16);
    return bytes;
  }
  // Whether both have the same bytes where the mask is set.
  static bool AreEqual(const LineBytes& x, const LineBytes& y, const LineBytes& mask) {
    const Part difference =
        ((x.a ^ y.a) & mask.a) | ((x.b ^ y.b) & mask.b) | ((x.c ^ y.c) & mask.c);
    return (difference[0] | difference[1]) == 0;
  }
};

}  // namespace

// One line, read from its start; stops at the first thing that is not as expected. Line feeds are characters like others,
// so that finding them takes no pass of its own.
class StreamReader::Parser {
 public:
  Parser(const char* start, const char* end) : start_(start), at_(start), end_(end) {}

  template <size_t size>
  bool Literal(const char (&text)[size]) {
    constexpr size_t kLength = size - 1;
    if (!StartsWith(text)) return Expect(text);
    at_ += kLength;
    return true;
  }

  // Digits without leading zeros, below 10^9.
  bool Decimal(int64_t& value) {
    const char* const first = at_;
    value = 0;
    while (IsDigit() && at_ - first < 9) value = value * 10 + *at_++ - '0';
    const bool has_zeros = at_ - first > 1 && *first == '0';
    return (at_ != first && !IsDigit() && !has_zeros) || Expect("a number");
  }

  // `0x` and at most eight digits.
  bool Hexadecimal(uint32_t& value) {
    if (!Literal("0x")) return false;
    const char* const first = at_;
    value = 0;
    for (int digit; at_ != end_ && at_ - first < 8 && (digit = HexDigit(*at_)) >= 0; ++at_) {
      value = value << 4 | static_cast<uint32_t>(digit);
    }
    return at_ != first || Expect("a hexadecimal number");
  }

  // A digit of [0, most] that is a multiple of `step`; `what` names it.
  bool Digit(int most, int step, const char* what, int& value) {
    value = at_ == end_ ? -1 : *at_ - '0';
    if (value < 0 || value > most || value % step != 0) return Expect(what);
    ++at_;
    return true;
  }

  bool LineFeed() {
    if (at_ == end_ || *at_ != '\n') return Expect("the line's end");
    ++at_;
    return true;
  }

  template <size_t size>
  bool StartsWith(const char (&text)[size]) const {
    return static_cast<size_t>(end_ - at_) >= size - 1 && std::memcmp(at_, text, size - 1) == 0;
  }

  const char* start() const { return start_; }
  const char* at() const { return at_; }
  int64_t Offset() const { return at_ - start_; }
  const char* expected() const { return expected_; }

 private:
  bool IsDigit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }
  static int HexDigit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  }
  bool Expect(const char* what) {
    expected_ = what;
    return false;
  }

  const char* start_;
  const char* at_;
  const char* end_;
  const char* expected_ = "";
};

StreamReader::StreamReader(std::string_view text, const StreamLimits& limits)
    : begin_(text.data()),
      line_(begin_),
      at_(begin_),
      end_(begin_ + text.size()),
      limits_(limits),
      uses_(static_cast<size_t>(limits.array.w)) {}

int64_t StreamReader::LineNumber() const { return 1 + std::count(begin_, line_, '\n'); }

StreamReader::Line StreamReader::FailLine(const std::string& problem) {
  error_ = {Error::Kind::kBadInput, fmt::format("line {}: {}", LineNumber(), problem)};
  return Line::kError;
}

StreamReader::Line StreamReader::FailAt(const Parser& parser) {
  constexpr int64_t kShown = 60;
  const char* const most = parser.start() + std::min(end_ - parser.start(), kShown);
  const char* const shown_end = std::find(parser.start(), most, '\n');
  std::string shown(parser.start(), shown_end);
  for (char& c : shown) {
    if (!std::isprint(static_cast<unsigned char>(c))) c = '?';
  }
  return FailLine(fmt::format("'{}{}': expected {} at character {}", shown,
                              shown.size() == kShown ? "..." : "", parser.expected(),
                              parser.Offset() + 1));
}

StreamReader::Line StreamReader::Next() {
  if (last_ == Line::kError || last_ == Line::kEnd) return last_;
  if (at_ == end_) {
    if (cycle_ == 0) return last_ = FailLine("the stream is empty; expected #cycle1");
    return last_ = Line::kEnd;
  }
  line_ = at_;
  Parser parser(at_, end_);
  if (parser.StartsWith("FU_")) return last_ = ReadUnit(parser);
  if (parser.StartsWith("s")) return last_ = ReadStore(parser);
  return last_ = ReadCycle(parser);
}

StreamReader::Line StreamReader::ReadCycle(Parser& parser) {
  int64_t number = 0;
  if (!parser.Literal("#cycle") || !parser.Decimal(number) || !parser.LineFeed()) {
    return FailAt(parser);
  }
  if (number != cycle_ + 1)
    return FailLine(fmt::format("cycle {} follows cycle {}", number, cycle_));
  cycle_ = number;
  column_ = row_ = -1;
  at_ = parser.at();
  return Line::kCycle;
}

StreamReader::Line StreamReader::ReadStore(Parser& parser) {
  int64_t column = 0;
  uint32_t address = 0;
  if (!parser.Literal("staddr OBUF_x_") || !parser.Decimal(column) || !parser.Literal(" ") ||
      !parser.Hexadecimal(address) || !parser.LineFeed()) {
    return FailAt(parser);
  }
  if (cycle_ == 0) return FailLine("an instruction before #cycle1");
  if (column >= limits_.array.w) {
    return FailLine(fmt::format("column {}: the array has {}", column, limits_.array.w));
  }
  if (column <= column_) {
    return FailLine(fmt::format("column {} follows column {} in a cycle", column, column_));
  }
  const int64_t expected = 4 * uses_[static_cast<size_t>(column)]++;
  if (address != expected) {
    return FailLine(
        fmt::format("address 0x{:x}: column {} stores at 0x{:x} now", address, column, expected));
  }
  if (expected + 4 > limits_.obuf_bytes) {
    return FailLine(fmt::format("address 0x{:x} is beyond the output buffer's {} bytes", address,
                                limits_.obuf_bytes));
  }
  column_ = column;
  row_ = -1;
  at_ = parser.at();
  return Line::kStore;
}

StreamReader::Line StreamReader::ReadUnit(Parser& parser) {
  int64_t row = 0;
  int64_t column = 0;
  if (!parser.Literal("FU_") || !parser.Decimal(row) || !parser.Literal("_") ||
      !parser.Decimal(column) || !parser.Literal(":")) {
    return FailAt(parser);
  }
  if (row >= limits_.array.h || column >= limits_.array.w) {
    return FailLine(fmt::format("unit {}, {}: the array has {}x{}", row, column, limits_.array.h,
                                limits_.array.w));
  }
  if (column != column_) {
    return FailLine(
        fmt::format("unit {}, {}: no staddr of column {} stands before it", row, column, column));
  }
  if (parser.StartsWith("s")) return ReadConfigure(parser, row);
  return ReadMultiply(parser, row);
}

StreamReader::Line StreamReader::ReadConfigure(Parser& parser, int64_t row) {
  std::array<int, 4> shifts{};
  bool is_right = parser.Literal("shconfig");
  for (int& shift : shifts) {
    is_right = is_right && parser.Literal(" ") && parser.Digit(8, 4, "0, 4 or 8", shift);
  }
  if (!is_right || !parser.LineFeed()) return FailAt(parser);
  if (row <= row_) return FailLine(fmt::format("row {} follows row {} in a column", row, row_));
  std::ranges::copy(shifts, quadrant_shifts_.begin());
  row_ = row;
  last_brick_ = -1;
  at_ = parser.at();
  return Line::kConfigure;
}

StreamReader::Line StreamReader::ReadMultiply(Parser& parser, int64_t row) {
  constexpr const char* kPlace = "0 to 3";
  constexpr const char* kBit = "an even bit within the operand";
  Offsets offsets;
  int i = 0;
  int j = 0;
  int input_bit = 0;
  int weight_bit = 0;
  if (!parser.Literal("BB_")) return FailAt(parser);
  offsets.brick = parser.Offset();
  if (!parser.Digit(3, 1, kPlace, i) || !parser.Literal("_") || !parser.Digit(3, 1, kPlace, j) ||
      !parser.Literal(":mul2 ") || !parser.Hexadecimal(input_byte_) || !parser.Literal("-")) {
    return FailAt(parser);
  }
  offsets.input_bit = parser.Offset();
  if (!parser.Digit(limits_.pair.input_bits - 2, 2, kBit, input_bit) || !parser.Literal(" ") ||
      !parser.Hexadecimal(weight_byte_) || !parser.Literal("-")) {
    return FailAt(parser);
  }
  offsets.weight_bit = parser.Offset();
  if (!parser.Digit(limits_.pair.weight_bits - 2, 2, kBit, weight_bit) || !parser.LineFeed()) {
    return FailAt(parser);
  }
  if (row != row_)
    return FailLine(fmt::format("unit {}, {} has no shconfig before it", row, column_));
  if (4 * i + j <= last_brick_) {
    return FailLine(fmt::format("brick {}, {} follows brick {}, {} in a unit", i, j,
                                last_brick_ / 4, last_brick_ % 4));
  }
  if (input_byte_ >= limits_.input_bytes) {
    return FailLine(fmt::format("input byte 0x{:x}: the padded pictures have {} bytes", input_byte_,
                                limits_.input_bytes));
  }
  if (weight_byte_ >= limits_.weight_bytes) {
    return FailLine(fmt::format("weight byte 0x{:x}: the kernel has {} bytes", weight_byte_,
                                limits_.weight_bytes));
  }
  last_brick_ = 4 * i + j;
  bricks_[0] = {static_cast<uint8_t>(last_brick_), static_cast<uint8_t>(input_bit),
                static_cast<uint8_t>(weight_bit)};
  brick_count_ = 1;
  at_ = parser.at();
  ReadRepeats(parser.start(), offsets);
  return Line::kMultiply;
}

void StreamReader::ReadRepeats(const char* line, const Offsets& offsets) {
  const int64_t size = at_ - line;
  if (size > LineBytes::kCount || end_ - line < LineBytes::kCount) return;
  // All bytes of the line but place and bits.
  std::array<char, LineBytes::kCount> set{};
  std::fill_n(set.begin(), size, '\xFF');
  for (const int64_t offset :
       {offsets.brick, offsets.brick + 2, offsets.input_bit, offsets.weight_bit}) {
    set[static_cast<size_t>(offset)] = 0;
  }
  const LineBytes mask = LineBytes::Load(set.data());
  const LineBytes first = LineBytes::Load(line);
  const auto most_input_bit = static_cast<unsigned>(limits_.pair.input_bits - 2);
  const auto most_weight_bit = static_cast<unsigned>(limits_.pair.weight_bits - 2);
  const char* at = at_;
  int brick = last_brick_;
  size_t count = 1;
  while (end_ - at >= LineBytes::kCount && LineBytes::AreEqual(LineBytes::Load(at), first, mask)) {
    const auto digit = [at](int64_t offset) { return static_cast<unsigned>(at[offset]) - '0'; };
    const unsigned i = digit(offsets.brick);
    const unsigned j = digit(offsets.brick + 2);
    const unsigned input_bit = digit(offsets.input_bit);
    const unsigned weight_bit = digit(offsets.weight_bit);
    const int next = static_cast<int>(4 * i + j);
    if ((i | j) > 3 || next <= brick || input_bit > most_input_bit ||
        weight_bit > most_weight_bit || ((input_bit | weight_bit) & 1) != 0) {
      break;
    }
    brick = next;
    bricks_[count++] = {static_cast<uint8_t>(brick), static_cast<uint8_t>(input_bit),
                        static_cast<uint8_t>(weight_bit)};
    at += size;
  }
  if (count == 1) return;
  line_ = at - size;
  at_ = at;
  brick_count_ = count;
  last_brick_ = brick;
}

}  // namespace lichen::fusion

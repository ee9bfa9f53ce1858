// Reads the instruction text of the original fusion machine (stream_writer.h), line by line or a product's bricks at once.
//
// Contract: takes any bytes, in time linear in their number and memory for the array's columns. Cycles count from 1; their
// instructions must stand in the order in which the compiler writes them: columns rise; in a column staddr first, with 4 times
// the column's uses so far, then rows rise; in a unit shconfig first, then bricks rise. Addresses and bits stay within the
// limits. What breaks this is an error that names the line. The text must outlive the reader.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "accel/fusion/window_job.h"
#include "base/result.h"
#include "base/tensor.h"

namespace lichen::fusion {

// What addresses, units and operand bits a stream may name.
struct StreamLimits {
  Size2 array = {kMaxArraySide, kMaxArraySide};
  int64_t input_bytes = int64_t{1} << 31;
  int64_t weight_bytes = int64_t{1} << 31;
  int64_t obuf_bytes = int64_t{1} << 31;  // of each column
  OperandPair pair;
};

// Where a brick stands, and its operands' bits.
struct BrickBits {
  uint8_t brick = 0;
  uint8_t input_bit = 0;
  uint8_t weight_bit = 0;
};

class StreamReader {
 public:
  enum class Line { kCycle, kStore, kConfigure, kMultiply, kEnd, kError };

  StreamReader(std::string_view text, const StreamLimits& limits);

  // Reads the next line, of bricks all that follow with the same operands; the accessors below speak of it. Stays at kEnd
  // or kError.
  Line Next();

  int64_t cycle() const { return cycle_; }    // from 1
  int64_t column() const { return column_; }  // of kStore and what follows it
  int64_t row() const { return row_; }        // of kConfigure and what follows it
  const std::array<uint8_t, 4>& quadrant_shifts() const { return quadrant_shifts_; }

  // kMultiply: bricks that read the same bytes, by rising place.
  std::span<const BrickBits> bricks() const { return {bricks_.data(), brick_count_}; }
  uint32_t input_byte() const { return input_byte_; }
  uint32_t weight_byte() const { return weight_byte_; }

  // Of the line that Next() read last, from 1; takes time.
  int64_t LineNumber() const;
  // After kError.
  const Error& error() const { return error_; }

 private:
  class Parser;

  Line ReadCycle(Parser& parser);
  Line ReadStore(Parser& parser);
  Line ReadUnit(Parser& parser);
  Line ReadConfigure(Parser& parser, int64_t row);
  Line ReadMultiply(Parser& parser, int64_t row);
  struct Offsets {  // in a brick's line
    int64_t brick = 0;
    int64_t input_bit = 0;
    int64_t weight_bit = 0;
  };
  // Takes the lines that differ from the brick's line before them in place and bits alone.
  void ReadRepeats(const char* line, const Offsets& offsets);
  Line FailAt(const Parser& parser);
  Line FailLine(const std::string& problem);

  const char* begin_;
  const char* line_;  // that was read last
  const char* at_;    // behind it
  const char* end_;
  StreamLimits limits_;
  int64_t cycle_ = 0;
  int64_t column_ = -1;
  int64_t row_ = -1;
  std::array<uint8_t, 4> quadrant_shifts_{};
  int last_brick_ = -1;
  std::array<BrickBits, kBricksPerUnit> bricks_;
  size_t brick_count_ = 0;
  uint32_t input_byte_ = 0;
  uint32_t weight_byte_ = 0;
  std::vector<int64_t> uses_;  // by column
  Line last_ = Line::kCycle;
  Error error_;
};

}  // namespace lichen::fusion

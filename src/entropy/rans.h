// Symbols <-> bytes of one segment, by range asymmetric numeral systems (rANS).
//
// Contract: DecodeSymbols(EncodeSymbols(x)) == x with the same tables and table numbers, on every CPU target the same bytes.
// Decoding any byte string terminates and reads nothing out of bounds. A truncated or lengthened segment is always an error that
// names a byte offset; a changed byte mostly is (the last state is wrong), but may also alter a few symbols unnoticed, so the
// container adds a checksum. Size: ideal code length + 4 to 8 bytes, or + about 22 bytes above kWideMinBytes; at 16
// prob_bits rounding adds up to 0.2 %.
//
// Segment format. N symbols, known from outside; N = 0 is the empty segment (0 bytes). LEB128 numbers are in shortest form.
//   wide_groups  LEB128, at most 5 bytes. The first W = 32 * wide_groups <= N symbols are "wide": symbol i uses state i % 32.
//                The others are "narrow": they all use state 0. How many are wide is the encoder's choice.
//   escape_bytes LEB128, at most 5 bytes; absent if no table of the set has an escape.
//   states       W ? 32 : 1 states in [2^16, 2^32), packed from the lowest bit of the first byte up: per state 4 bits
//                e = floor(log2(state >> 16)), e bits (state >> 16) - 2^e, 16 bits state & 0xFFFF. Padded with zero bits.
//   escapes      one LEB128 code (escape.h) per escaped symbol, in the order of the symbols.
//   words        16-bit little-endian words up to the end. Per symbol: slot = low prob_bits of the state, symbol = the one whose
//                slots hold it (order of slots: prepared_tables.h), state = frequency * (state >> prob_bits) + slot - start, and
//                if that is < 2^16, state = state << 16 | next word. After symbol W - 1 (W > 0), states 31 to 1 must have the
//                high half 1; their low halves are pushed back in front of the words, state 31's first, so that state 1's
//                is the next word. After symbol N - 1, state 0 must be 2^16, and all words and escapes consumed.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "entropy/prepared_tables.h"
#include "entropy/rans_lanes.h"

namespace lichen {

// The encoder goes wide once it expects this many bytes from it, so that the states cost at most 0.4 % of the segment.
inline constexpr double kWideMinBytes = 4096;

// Which table a symbol uses.
class TableIndices {
 public:
  // Symbol i of the segment uses table i % table_count: NHWC latents with a table per channel.
  static TableIndices PerChannel() { return {}; }
  // Symbol i uses table numbers[i]; as many numbers as symbols of the call.
  static TableIndices Explicit(std::span<const uint8_t> numbers) {
    TableIndices indices;
    indices.is_explicit_ = true;
    indices.numbers_ = numbers;
    return indices;
  }
  bool is_explicit() const { return is_explicit_; }
  std::span<const uint8_t> numbers() const { return numbers_; }

 private:
  bool is_explicit_ = false;
  std::span<const uint8_t> numbers_;
};

// Error: a symbol outside a table without escape, or a table number out of range; names the symbol's position.
Result<std::vector<uint8_t>> EncodeSymbols(const PreparedTables& tables,
                                           std::span<const int16_t> symbols,
                                           const TableIndices& indices);

// Sum of -log2 of the probabilities, plus the bits of the escape section. Errors as EncodeSymbols.
Result<double> IdealBits(const PreparedTables& tables, std::span<const int16_t> symbols,
                         const TableIndices& indices);

// Decodes a segment in any number of calls, for table numbers that depend on earlier symbols. Holds a copy of the bytes and a
// pointer to the tables, which must outlive it. After an error, or after Finish, use it no more.
class RansDecoder {
 public:
  static Result<RansDecoder> Create(const PreparedTables& tables, std::span<const uint8_t> bytes);

  // The next out.size() symbols. With PerChannel, positions count from the segment's start.
  Result<void> DecodeRow(const TableIndices& indices, std::span<int16_t> out);
  // Checks that the segment ends here.
  Result<void> Finish() const;

 private:
  RansDecoder() = default;
  Result<void> DecodeRun(const TableNumbers& numbers, std::span<int16_t> out);
  Result<void> ReadEscapes(const TableNumbers& numbers, std::span<int16_t> out);
  Result<void> FoldStates();
  uint64_t NextWordBytes() const;

  const PreparedTables* tables_ = nullptr;
  LaneStates states_{};
  uint64_t position_ = 0;      // symbols decoded
  uint64_t wide_symbols_ = 0;  // W
  uint64_t size_bytes_ = 0;    // of the segment
  uint64_t escapes_begin_bytes_ = 0;
  std::vector<uint8_t> escapes_;
  size_t next_escape_ = 0;
  AlignedArray<uint16_t> words_;  // room for pushing back, words, slack
  size_t next_word_ = 0;
  size_t words_end_ = 0;
};

// The whole segment at once.
Result<void> DecodeSymbols(const PreparedTables& tables, std::span<const uint8_t> bytes,
                           const TableIndices& indices, std::span<int16_t> out);

}  // namespace lichen

// A checked TableSet with what the coder looks up: slots to symbols, symbols to slots, and costs in bits.
//
// Contract: Create() accepts exactly what CheckTables accepts. The order of slots is part of the bitstream: within a table
// entries lie by falling frequency; ties go to the symbol nearer to the most frequent one (the lowest such), then to the
// lower symbol; the escape comes after all others of its frequency. Immutable; share one among threads.
// Memory: 4 KiB per table for the buckets and 20 bytes per frequency.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "base/tensor.h"
#include "entropy/table.h"

namespace lichen {

// A symbol's slots, packed: start in the low half, frequency - 1 in the high half.
constexpr uint32_t PackSlots(uint32_t start, uint32_t frequency) {
  return start | (frequency - 1) << 16;
}
constexpr uint32_t SlotStart(uint32_t packed) { return packed & 0xFFFF; }
constexpr uint32_t SlotFrequency(uint32_t packed) { return (packed >> 16) + 1; }

// What a decoder yields in place of an escaped symbol, until the escape section is read.
inline constexpr int16_t kEscapeMarker = -32768;

// Log2 of the buckets per table, each of equally many slots; a bucket names the entry that holds its first slot, from which a
// decoder steps on. Measured with 128 tables of Laplacians (AVX-512, 2 MiB second-level cache): 10 is the fastest, 8 decodes at
// 0.77 and 12 at 0.6 of its speed.
inline constexpr int kBucketBits = 10;

// Views for the kernels. Entries of all tables follow each other.
struct DecodeView {
  int prob_bits = 0;
  const uint32_t* buckets = nullptr;  // [table << kBucketBits | slot >> (prob_bits - kBucketBits)]
  const uint32_t* entries = nullptr;  // packed slots
  const int32_t* symbols = nullptr;   // of each entry; kEscapeMarker for an escape
};

struct EncodeTable {
  int32_t min_symbol = 0;
  uint32_t symbol_count = 0;
  uint32_t first_entry = 0;  // entry of min_symbol; the escape's follows the last symbol's
  bool has_escape = false;
};

class PreparedTables {
 public:
  static Result<PreparedTables> Create(const TableSet& set);

  int prob_bits() const { return prob_bits_; }
  size_t table_count() const { return encode_tables_.size(); }
  bool has_escape() const { return has_escape_; }
  DecodeView decode_view() const {
    return {prob_bits_, buckets_.data(), entries_.data(), symbols_.data()};
  }
  const EncodeTable& encode_table(size_t table) const { return encode_tables_[table]; }
  const uint32_t* encode_entries() const { return encode_entries_.data(); }
  // -log2 of the probability of encode_entries()[i].
  const float* cost_bits() const { return cost_bits_.data(); }
  // 0, 1, ..., table_count - 1, 0, 1, ...: table_count + kCycleSlack numbers, for loads of a vector from any phase.
  const uint32_t* cycle() const { return cycle_.data(); }
  static constexpr size_t kCycleSlack = 64;

 private:
  PreparedTables() = default;
  void Append(const ProbabilityTable& table, size_t index, size_t first_entry);

  int prob_bits_ = 0;
  bool has_escape_ = false;
  AlignedArray<uint32_t> buckets_;
  AlignedArray<uint32_t> entries_;
  AlignedArray<int32_t> symbols_;
  AlignedArray<uint32_t> encode_entries_;
  AlignedArray<float> cost_bits_;
  AlignedArray<uint32_t> cycle_;
  std::vector<EncodeTable> encode_tables_;
};

}  // namespace lichen

#include <algorithm>
#include <array>
#include <bit>

#include "entropy/escape.h"
#include "entropy/rans.h"

namespace lichen {
namespace {

// Symbols whose slots are looked up at a time; a multiple of kLaneCount.
constexpr size_t kBlock = 2048;

// Looks up the slots of symbols, block by block and from the last to the first, as the coder needs them.
class SlotLookup {
 public:
  SlotLookup(const PreparedTables& tables, std::span<const int16_t> symbols,
             const TableIndices& indices)
      : tables_(tables), symbols_(symbols), indices_(indices) {}

  Result<void> CheckNumbers() const {
    if (!indices_.is_explicit()) return {};
    LICHEN_CHECK(indices_.numbers().size() == symbols_.size());
    if (tables_.table_count() > 255) return {};
    const auto worst = std::max_element(indices_.numbers().begin(), indices_.numbers().end());
    if (worst == indices_.numbers().end() || *worst < tables_.table_count()) return {};
    return Fail("symbol {} uses probability table {}, there are {}",
                worst - indices_.numbers().begin(), *worst, tables_.table_count());
  }

  // `entries` receives end - begin indices into encode_entries().
  Result<void> Run(size_t begin, size_t end, std::span<uint32_t> entries) {
    const size_t table_count = tables_.table_count();
    const uint8_t* numbers = indices_.is_explicit() ? indices_.numbers().data() : nullptr;
    size_t channel = end % table_count;
    for (size_t i = end; i-- > begin;) {
      channel = (channel == 0 ? table_count : channel) - 1;
      const EncodeTable& table = tables_.encode_table(numbers ? numbers[i] : channel);
      uint32_t entry = static_cast<uint32_t>(symbols_[i] - table.min_symbol);
      if (entry >= table.symbol_count) [[unlikely]] {
        if (!table.has_escape) {
          return Fail("symbol {} is {}, but its probability table holds {} to {} and no escape", i,
                      symbols_[i], table.min_symbol,
                      table.min_symbol + static_cast<int32_t>(table.symbol_count) - 1);
        }
        AppendEscape(symbols_[i], table);
        entry = table.symbol_count;
      }
      entries[i - begin] = table.first_entry + entry;
    }
    return {};
  }

  // The bytes of all escapes, last byte first.
  const std::vector<uint8_t>& escapes() const { return escapes_; }

 private:
  void AppendEscape(int32_t symbol, const EncodeTable& table) {
    const uint32_t code = EscapeCode(
        symbol, table.min_symbol, table.min_symbol + static_cast<int32_t>(table.symbol_count) - 1);
    const int last = EscapeBytes(code) - 1;
    for (int byte = last; byte >= 0; --byte) {
      escapes_.push_back(
          static_cast<uint8_t>((code >> (7 * byte) & 0x7F) | (byte == last ? 0 : 0x80)));
    }
  }

  const PreparedTables& tables_;
  std::span<const int16_t> symbols_;
  const TableIndices& indices_;
  std::vector<uint8_t> escapes_;
};

void AppendLeb128(uint64_t value, std::vector<uint8_t>& bytes) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<uint8_t>(value | 0x80));
  bytes.push_back(static_cast<uint8_t>(value));
}

void AppendStates(const LaneStates& states, size_t count, std::vector<uint8_t>& bytes) {
  uint64_t bits = 0;
  int bit_count = 0;
  const auto put = [&](uint32_t value, int value_bits) {
    bits |= uint64_t{value} << bit_count;
    for (bit_count += value_bits; bit_count >= 8; bit_count -= 8, bits >>= 8) {
      bytes.push_back(static_cast<uint8_t>(bits));
    }
  };
  for (size_t lane = 0; lane < count; ++lane) {
    const uint32_t high = states.state[lane] >> 16;
    const int exponent = std::bit_width(high) - 1;
    put(static_cast<uint32_t>(exponent), 4);
    put(high - (1u << exponent), exponent);
    put(states.state[lane] & 0xFFFF, 16);
  }
  if (bit_count > 0) bytes.push_back(static_cast<uint8_t>(bits));
}

// The words, filled from the end; words of a segment of n symbols are at most n.
class WordStack {
 public:
  explicit WordStack(size_t capacity) : words_(capacity + kWordSlack), next_(words_.size()) {}
  uint16_t* next() { return words_.data() + next_; }
  void set_next(const uint16_t* next) { next_ = static_cast<size_t>(next - words_.data()); }
  size_t count() const { return words_.size() - next_; }
  uint16_t Pop() { return words_[next_++]; }

 private:
  AlignedArray<uint16_t> words_;
  size_t next_;
};

// Encodes a segment's blocks from the last to the first.
class SegmentEncoder {
 public:
  SegmentEncoder(const PreparedTables& tables, size_t symbol_count)
      : tables_(tables), words_(symbol_count), symbol_count_(symbol_count) {
    states_.state[0] = kLowestState;
  }

  // Symbols begin, begin + 1, ... of the segment, given as entries, which are overwritten.
  void Encode(size_t begin, std::span<uint32_t> entries) {
    for (uint32_t& entry : entries) entry = tables_.encode_entries()[entry];
    size_t end = begin + entries.size();
    if (wide_symbols_ == 0) {
      // Single steps where the segment may go wide next, which is where whole groups remain.
      while (end > begin) {
        if (end % kLaneCount == 0 && WorthWide(end)) {
          GoWide(end);
          break;
        }
        const size_t step_begin = std::max(begin, (end - 1) / kLaneCount * kLaneCount);
        words_.set_next(EncodeLanesRef(entries.data() + (step_begin - begin), end - step_begin, 0,
                                       1, tables_.prob_bits(), states_, words_.next()));
        end = step_begin;
      }
    }
    if (end > begin) {
      words_.set_next(EncodeLanesSimd(entries.data(), end - begin, tables_.prob_bits(), states_,
                                      words_.next()));
    }
  }

  // `escapes`: last byte first.
  std::vector<uint8_t> Finish(std::span<const uint8_t> escapes) {
    std::vector<uint8_t> bytes;
    bytes.reserve(kLaneCount * 4 + 8 + 2 * words_.count() + escapes.size());
    AppendLeb128(wide_symbols_ / kLaneCount, bytes);
    if (tables_.has_escape()) AppendLeb128(escapes.size(), bytes);
    AppendStates(states_, wide_symbols_ ? kLaneCount : 1, bytes);
    bytes.insert(bytes.end(), escapes.rbegin(), escapes.rend());
    const std::span<const uint16_t> words{words_.next(), words_.count()};
    for (const uint16_t word : words) {
      bytes.push_back(static_cast<uint8_t>(word));
      bytes.push_back(static_cast<uint8_t>(word >> 8));
    }
    return bytes;
  }

 private:
  bool WorthWide(size_t left) const {
    if (words_.count() < kLaneCount - 1 || left == 0) return false;
    const double bytes_per_symbol =
        2.0 * static_cast<double>(words_.count()) / static_cast<double>(symbol_count_ - left);
    return bytes_per_symbol * static_cast<double>(left) >= kWideMinBytes;
  }

  // The other states start with 16 bits of payload each instead of nothing.
  void GoWide(size_t wide_symbols) {
    wide_symbols_ = wide_symbols;
    for (size_t lane = 1; lane < kLaneCount; ++lane)
      states_.state[lane] = kLowestState | words_.Pop();
  }

  const PreparedTables& tables_;
  LaneStates states_{};
  WordStack words_;
  size_t symbol_count_;
  size_t wide_symbols_ = 0;
};

}  // namespace

Result<std::vector<uint8_t>> EncodeSymbols(const PreparedTables& tables,
                                           std::span<const int16_t> symbols,
                                           const TableIndices& indices) {
  SlotLookup lookup(tables, symbols, indices);
  LICHEN_TRY_VOID(lookup.CheckNumbers());
  if (symbols.empty()) return std::vector<uint8_t>();
  if (symbols.size() > UINT32_MAX)
    return Fail("{} symbols are too many for a segment", symbols.size());
  SegmentEncoder encoder(tables, symbols.size());
  std::array<uint32_t, kBlock> entries;
  for (size_t end = symbols.size(); end > 0;) {
    const size_t begin = (end - 1) / kBlock * kBlock;
    const std::span<uint32_t> block{entries.data(), end - begin};
    LICHEN_TRY_VOID(lookup.Run(begin, end, block));
    encoder.Encode(begin, block);
    end = begin;
  }
  return encoder.Finish(lookup.escapes());
}

Result<double> IdealBits(const PreparedTables& tables, std::span<const int16_t> symbols,
                         const TableIndices& indices) {
  SlotLookup lookup(tables, symbols, indices);
  LICHEN_TRY_VOID(lookup.CheckNumbers());
  double bits = 0;
  std::array<uint32_t, kBlock> entries;
  for (size_t end = symbols.size(); end > 0;) {
    const size_t begin = (end - 1) / kBlock * kBlock;
    LICHEN_TRY_VOID(lookup.Run(begin, end, entries));
    for (size_t i = 0; i < end - begin; ++i)
      bits += static_cast<double>(tables.cost_bits()[entries[i]]);
    end = begin;
  }
  return bits + 8.0 * static_cast<double>(lookup.escapes().size());
}

}  // namespace lichen

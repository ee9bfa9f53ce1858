#include <algorithm>

#include "entropy/escape.h"
#include "entropy/rans.h"

namespace lichen {
namespace {

// Words may be pushed back in front of the first.
constexpr size_t kPushBackRoom = kLaneCount;

constexpr int kMaxCountBytes = 5;

// Symbols between two looks at the escape section, so that they are still in the cache.
constexpr size_t kRun = 4096;

struct Cursor {
  std::span<const uint8_t> bytes;
  size_t next = 0;
};

// A LEB128 number of at most max_bytes bytes, in shortest form. `base_bytes` is where cursor.bytes lie in the segment.
Result<uint64_t> ReadLeb128(Cursor& cursor, int max_bytes, uint64_t base_bytes) {
  uint64_t value = 0;
  for (int i = 0; i < max_bytes; ++i) {
    if (cursor.next == cursor.bytes.size())
      return Fail("a number is cut off at byte {}", base_bytes + cursor.next);
    const uint8_t byte = cursor.bytes[cursor.next++];
    value |= uint64_t{byte & 0x7Fu} << (7 * i);
    if (byte & 0x80) continue;
    if (byte == 0 && i > 0) break;
    return value;
  }
  return Fail("a number is malformed before byte {}", base_bytes + cursor.next);
}

// Reads bits from the lowest up.
class BitReader {
 public:
  explicit BitReader(Cursor& cursor) : cursor_(cursor) {}
  Result<uint32_t> Read(int count) {
    while (bit_count_ < count) {
      if (cursor_.next == cursor_.bytes.size())
        return Fail("segment ends at byte {}, in its states", cursor_.next);
      bits_ |= uint64_t{cursor_.bytes[cursor_.next++]} << bit_count_;
      bit_count_ += 8;
    }
    const uint32_t value = static_cast<uint32_t>(bits_ & ((uint64_t{1} << count) - 1));
    bits_ >>= count;
    bit_count_ -= count;
    return value;
  }
  // The bits left in the last byte.
  uint64_t padding() const { return bits_; }

 private:
  Cursor& cursor_;
  uint64_t bits_ = 0;
  int bit_count_ = 0;
};

Result<LaneStates> ReadStates(Cursor& cursor, size_t count) {
  LaneStates states{};
  BitReader reader(cursor);
  for (size_t lane = 0; lane < count; ++lane) {
    LICHEN_TRY(const uint32_t exponent, reader.Read(4));
    LICHEN_TRY(const uint32_t mantissa, reader.Read(static_cast<int>(exponent)));
    LICHEN_TRY(const uint32_t low, reader.Read(16));
    states.state[lane] = ((1u << exponent) + mantissa) << 16 | low;
  }
  if (reader.padding() != 0) return Fail("segment has a bad padding before byte {}", cursor.next);
  return states;
}

// `numbers` from its symbol `count` on.
TableNumbers Skip(TableNumbers numbers, size_t count) {
  if (numbers.numbers) {
    numbers.numbers += count;
  } else {
    numbers.phase = static_cast<uint32_t>((numbers.phase + count) % numbers.cycle_count);
  }
  return numbers;
}

}  // namespace

Result<RansDecoder> RansDecoder::Create(const PreparedTables& tables,
                                        std::span<const uint8_t> bytes) {
  RansDecoder decoder;
  decoder.tables_ = &tables;
  decoder.size_bytes_ = bytes.size();
  decoder.next_word_ = decoder.words_end_ = kPushBackRoom;
  decoder.states_.state[0] = kLowestState;
  if (bytes.empty()) return decoder;  // no symbols

  Cursor cursor{bytes};
  LICHEN_TRY(const uint64_t wide_groups, ReadLeb128(cursor, kMaxCountBytes, 0));
  uint64_t escape_bytes = 0;
  if (tables.has_escape()) {
    LICHEN_TRY(escape_bytes, ReadLeb128(cursor, kMaxCountBytes, 0));
  }
  decoder.wide_symbols_ = wide_groups * kLaneCount;
  LICHEN_TRY(decoder.states_, ReadStates(cursor, wide_groups > 0 ? kLaneCount : 1));
  if (escape_bytes > bytes.size() - cursor.next) {
    return Fail("segment ends at byte {}, among {} bytes of escapes", bytes.size(), escape_bytes);
  }
  decoder.escapes_begin_bytes_ = cursor.next;
  const auto escapes = bytes.subspan(cursor.next, escape_bytes);
  decoder.escapes_.assign(escapes.begin(), escapes.end());

  const auto words = bytes.subspan(cursor.next + escape_bytes);
  if (words.size() % 2 != 0)
    return Fail("segment ends at byte {}, in the middle of a word", bytes.size());
  decoder.words_end_ = kPushBackRoom + words.size() / 2;
  decoder.words_ = AlignedArray<uint16_t>(decoder.words_end_ + kWordSlack);
  for (size_t i = 0; i < words.size() / 2; ++i) {
    decoder.words_[kPushBackRoom + i] = static_cast<uint16_t>(words[2 * i] | words[2 * i + 1] << 8);
  }
  return decoder;
}

uint64_t RansDecoder::NextWordBytes() const {
  return size_bytes_ - 2 * (static_cast<uint64_t>(words_end_) - next_word_);
}

Result<void> RansDecoder::DecodeRow(const TableIndices& indices, std::span<int16_t> out) {
  TableNumbers numbers;
  if (indices.is_explicit()) {
    LICHEN_CHECK(indices.numbers().size() == out.size());
    uint8_t worst = 0;
    for (const uint8_t number : indices.numbers()) worst = std::max(worst, number);
    if (worst >= tables_->table_count()) {
      return Fail("a symbol after number {} uses probability table {}, there are {}", position_,
                  worst, tables_->table_count());
    }
    numbers.numbers = indices.numbers().data();
  }
  numbers.cycle = tables_->cycle();
  numbers.cycle_count = static_cast<uint32_t>(tables_->table_count());
  numbers.phase = static_cast<uint32_t>(position_ % numbers.cycle_count);
  if (!out.empty() && size_bytes_ == 0)
    return Fail("segment is empty, expected {} symbols (byte 0)", out.size());

  while (!out.empty()) {
    // Runs end at whole groups and where the wide part ends.
    size_t count = std::min<size_t>(out.size(), kRun);
    if (position_ < wide_symbols_) {
      const size_t lane = position_ % kLaneCount;
      if (lane != 0 || count < kLaneCount) {
        count = std::min(count, kLaneCount - lane);
      } else {
        count = std::min<uint64_t>(count - count % kLaneCount, wide_symbols_ - position_);
      }
    }
    LICHEN_TRY_VOID(DecodeRun(numbers, out.first(count)));
    numbers = Skip(numbers, count);
    out = out.subspan(count);
  }
  return {};
}

Result<void> RansDecoder::DecodeRun(const TableNumbers& numbers, std::span<int16_t> out) {
  const uint16_t* words = words_.data() + next_word_;
  const uint16_t* words_end = words_.data() + words_end_;
  const bool is_wide = position_ < wide_symbols_;
  const size_t lane = position_ % kLaneCount;
  DecodeOutcome outcome;
  if (is_wide && lane == 0 && out.size() % kLaneCount == 0) {
    outcome = DecodeLanesSimd(tables_->decode_view(), numbers, out.size(), words, words_end,
                              states_, out.data());
  } else {
    outcome = DecodeLanesRef(tables_->decode_view(), numbers, out.size(), is_wide ? lane : 0,
                             is_wide ? kLaneCount : 1, words, words_end, states_, out.data());
  }
  next_word_ = static_cast<size_t>(outcome.words - words_.data());
  if (outcome.words > words_end) {
    return Fail("segment ends at byte {}, among symbols {} to {}", size_bytes_, position_,
                position_ + out.size());
  }
  if (outcome.has_marker) LICHEN_TRY_VOID(ReadEscapes(numbers, out));
  position_ += out.size();
  if (is_wide && position_ == wide_symbols_) LICHEN_TRY_VOID(FoldStates());
  return {};
}

Result<void> RansDecoder::ReadEscapes(const TableNumbers& numbers, std::span<int16_t> out) {
  Cursor cursor{escapes_, next_escape_};
  for (size_t i = 0; i < out.size(); ++i) {
    if (out[i] != kEscapeMarker) continue;
    LICHEN_TRY(const uint64_t code, ReadLeb128(cursor, kMaxEscapeBytes, escapes_begin_bytes_));
    const TableNumbers at = Skip(numbers, i);
    const EncodeTable& table = tables_->encode_table(at.numbers ? *at.numbers : at.phase);
    const int32_t symbol =
        EscapedSymbol(static_cast<uint32_t>(code), table.min_symbol,
                      table.min_symbol + static_cast<int32_t>(table.symbol_count) - 1);
    if (symbol < INT16_MIN || symbol > INT16_MAX) {
      return Fail("escape of symbol {} before byte {} leaves 16 bits", position_ + i,
                  escapes_begin_bytes_ + cursor.next);
    }
    out[i] = static_cast<int16_t>(symbol);
  }
  next_escape_ = cursor.next;
  return {};
}

Result<void> RansDecoder::FoldStates() {
  for (size_t lane = kLaneCount - 1; lane > 0; --lane) {
    if (states_.state[lane] >> 16 != 1) {
      return Fail("segment is corrupt before byte {}: state {} ends at {:#x}", NextWordBytes(),
                  lane, states_.state[lane]);
    }
    words_[--next_word_] = static_cast<uint16_t>(states_.state[lane]);
  }
  return {};
}

Result<void> RansDecoder::Finish() const {
  if (position_ < wide_symbols_) {
    return Fail("segment holds at least {} symbols, expected {} (byte {})", wide_symbols_,
                position_, NextWordBytes());
  }
  if (states_.state[0] != kLowestState) {
    return Fail("segment is corrupt before byte {}: its state ends at {:#x}", NextWordBytes(),
                states_.state[0]);
  }
  if (next_word_ != words_end_)
    return Fail("segment goes on at byte {}, after its last symbol", NextWordBytes());
  if (next_escape_ != escapes_.size()) {
    return Fail("segment holds an unused escape at byte {}", escapes_begin_bytes_ + next_escape_);
  }
  return {};
}

Result<void> DecodeSymbols(const PreparedTables& tables, std::span<const uint8_t> bytes,
                           const TableIndices& indices, std::span<int16_t> out) {
  LICHEN_TRY(RansDecoder decoder, RansDecoder::Create(tables, bytes));
  LICHEN_TRY_VOID(decoder.DecodeRow(indices, out));
  return decoder.Finish();
}

}  // namespace lichen

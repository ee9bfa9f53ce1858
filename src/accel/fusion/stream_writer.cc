#include "accel/fusion/stream_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <vector>

#include "base/check.h"

namespace lichen::fusion {
namespace {

// Pieces are stored whole, whatever their length, and the next piece overwrites what is too much.
constexpr size_t kPieceBytes = 16;

struct Piece {
  std::array<char, kPieceBytes> text{};
  size_t size = 0;
};

Piece MakePiece(std::string_view text) {
  LICHEN_CHECK(text.size() <= kPieceBytes);
  Piece piece{.size = text.size()};
  std::ranges::copy(text, piece.text.begin());
  return piece;
}

// A number's hexadecimal digits, the first in the lowest byte.
struct HexDigits {
  uint64_t text = 0;
  size_t size = 0;
};

HexDigits ToHexDigits(uint32_t value) {
  uint64_t nibbles = value;
  nibbles = (nibbles | nibbles << 16) & 0x0000FFFF0000FFFF;
  nibbles = (nibbles | nibbles << 8) & 0x00FF00FF00FF00FF;
  nibbles = (nibbles | nibbles << 4) & 0x0F0F0F0F0F0F0F0F;
  const uint64_t is_letter = (nibbles + 0x0606060606060606) >> 4 & 0x0101010101010101;
  const uint64_t text = nibbles + 0x3030303030303030 + is_letter * ('a' - '0' - 10);
  const size_t size = std::max<size_t>(1, (static_cast<size_t>(std::bit_width(value)) + 3) / 4);
  return {__builtin_bswap64(text) >> (8 * (8 - size)), size};
}

// The largest use of a piece beyond its size.
constexpr size_t kSlackBytes = kPieceBytes;

class Cursor {
 public:
  explicit Cursor(char* at) : at_(at) {}
  void Write(const Piece& piece) {
    std::memcpy(at_, piece.text.data(), kPieceBytes);
    at_ += piece.size;
  }
  void Write(HexDigits digits) {
    std::memcpy(at_, &digits.text, sizeof(digits.text));
    at_ += digits.size;
  }
  // `size` characters, the first in the lowest byte.
  void Write(uint64_t text, size_t size) {
    std::memcpy(at_, &text, sizeof(text));
    at_ += size;
  }
  void Write(std::string_view text) {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  char* at() const { return at_; }

 private:
  char* at_;
};

constexpr uint64_t Characters(std::string_view text) {
  uint64_t value = 0;
  for (size_t i = 0; i < text.size(); ++i)
    value |= uint64_t{static_cast<uint8_t>(text[i])} << 8 * i;
  return value;
}

// The pieces of a column's instructions, for one number of products.
struct ColumnPieces {
  struct BrickPieces {
    Piece name;           // BB_i_j:mul2 0x
    uint64_t middle = 0;  // -b 0x
    uint64_t end = 0;     // -b and line feed
    uint8_t slot = 0;
  };
  struct UnitPieces {
    Piece shifts;  // shconfig's, to the line feed
    std::array<int32_t, 4> products{};
    size_t slots = 0;
    std::vector<BrickPieces> bricks;
  };
  std::vector<UnitPieces> units;
};

constexpr size_t kMiddleBytes = 5;
constexpr size_t kEndBytes = 3;
constexpr std::string_view kConfigure = "shconfig";

ColumnPieces MakePieces(const std::vector<UnitLayout>& layouts) {
  ColumnPieces column;
  for (const UnitLayout& layout : layouts) {
    ColumnPieces::UnitPieces unit;
    const auto& s = layout.quadrant_shifts;
    unit.shifts = MakePiece(fmt::format(" {} {} {} {}\n", s[0], s[1], s[2], s[3]));
    unit.products = layout.products;
    for (const Brick& brick : layout.bricks) {
      unit.slots = std::max<size_t>(unit.slots, brick.slot + size_t{1});
      unit.bricks.push_back(
          {.name = MakePiece(fmt::format("BB_{}_{}:mul2 0x", brick.index / 4, brick.index % 4)),
           .middle = Characters(fmt::format("-{} 0x", brick.input_bit)),
           .end = Characters(fmt::format("-{}\n", brick.weight_bit)),
           .slot = brick.slot});
    }
    column.units.push_back(std::move(unit));
  }
  return column;
}

class Writer {
 public:
  Writer(const WindowJob& job, char* text) : job_(job), cursor_(text) {
    for (int64_t part = 0; part < job.ColumnsPerWindow(); ++part) {
      parts_.push_back(MakePieces(LayOutColumn(job.pair, job.TapsOfPart(part))));
    }
    for (int64_t column = 0; column < job.array.w; ++column) {
      stores_.push_back(MakePiece(fmt::format("OBUF_x_{} 0x", column)));
      for (size_t row = 0; row < parts_[0].units.size(); ++row) {
        unit_names_.push_back(MakePiece(fmt::format("FU_{}_{}:", row, column)));
      }
    }
    for (int64_t ky = 0; ky < job.kernel.height; ++ky) {
      for (int64_t kx = 0; kx < job.kernel.width; ++kx) {
        tap_offsets_.push_back(static_cast<uint32_t>(ky * job.PaddedWidth() + kx));
      }
    }
    weights_.resize(tap_offsets_.size());
  }

  // The text's end.
  char* Write() {
    if (job_.Windows() == 0) StartCycle();
    for (int64_t n = 0; n < job_.input.count; ++n) {
      for (int64_t k = 0; k < job_.kernel.count; ++k) {
        for (size_t tap = 0; tap < weights_.size(); ++tap) {
          weights_[tap] =
              ToHexDigits(static_cast<uint32_t>(k * job_.Taps()) + static_cast<uint32_t>(tap));
        }
        for (int64_t y = 0; y < job_.OutputHeight(); ++y) {
          const int64_t row = (n * job_.PaddedHeight() + y) * job_.PaddedWidth();
          for (int64_t x = 0; x < job_.OutputWidth(); ++x) {
            WriteWindow(static_cast<uint32_t>(row + x));
          }
        }
      }
    }
    return cursor_.at();
  }

 private:
  void StartCycle() { cursor_.Write(fmt::format("#cycle{}\n", ++cycles_)); }

  // `first` is the window's first input byte.
  void WriteWindow(uint32_t first) {
    for (size_t part = 0; part < parts_.size(); ++part) {
      if (column_ == 0) {
        StartCycle();
        address_ = ToHexDigits(static_cast<uint32_t>(4 * (cycles_ - 1)));
      }
      cursor_.Write(Characters("staddr "), 7);
      cursor_.Write(stores_[column_]);
      cursor_.Write(address_);
      cursor_.Write(uint64_t{'\n'}, 1);
      const Piece* name = &unit_names_[column_ * parts_[0].units.size()];
      const size_t first_tap = part * static_cast<size_t>(job_.Capacity());
      for (const ColumnPieces::UnitPieces& unit : parts_[part].units) {
        WriteUnit(unit, *name++, first, first_tap);
      }
      if (++column_ == static_cast<size_t>(job_.array.w)) column_ = 0;
    }
  }

  void WriteUnit(const ColumnPieces::UnitPieces& unit, const Piece& unit_name, uint32_t first,
                 size_t first_tap) {
    std::array<HexDigits, 4> inputs;
    std::array<HexDigits, 4> weights;
    for (size_t slot = 0; slot < unit.slots; ++slot) {
      const size_t tap = first_tap + static_cast<size_t>(unit.products[slot]);
      inputs[slot] = ToHexDigits(first + tap_offsets_[tap]);
      weights[slot] = weights_[tap];
    }
    Cursor out = cursor_;  // stays in registers
    const Piece name = unit_name;
    out.Write(name);
    out.Write(Characters(kConfigure), kConfigure.size());
    out.Write(unit.shifts);
    for (const ColumnPieces::BrickPieces& brick : unit.bricks) {
      out.Write(name);
      out.Write(brick.name);
      out.Write(inputs[brick.slot]);
      out.Write(brick.middle, kMiddleBytes);
      out.Write(weights[brick.slot]);
      out.Write(brick.end, kEndBytes);
    }
    cursor_ = out;
  }

  const WindowJob& job_;
  Cursor cursor_;
  std::vector<ColumnPieces> parts_;    // of a window
  std::vector<Piece> stores_;          // by column
  std::vector<Piece> unit_names_;      // by column, then row
  std::vector<uint32_t> tap_offsets_;  // of the input byte, from the window's first
  std::vector<HexDigits> weights_;     // by tap, of the filter at hand
  size_t column_ = 0;
  int64_t cycles_ = 0;
  HexDigits address_;  // of the cycle at hand
};

// Not less than the text's size, were all addresses as long as the longest.
int64_t MostBytes(const WindowJob& job, const Counts& counts) {
  const auto digits = [](int64_t most) {
    return static_cast<int64_t>(ToHexDigits(static_cast<uint32_t>(most)).size);
  };
  const int64_t column = static_cast<int64_t>(fmt::format("{}", job.array.w - 1).size());
  const int64_t unit =
      static_cast<int64_t>(fmt::format("FU_{}_:", job.array.h - 1).size()) + column;
  const int64_t brick = unit + 14 + digits(job.InputBytes() - 1) +
                        static_cast<int64_t>(kMiddleBytes) + digits(job.WeightBytes() - 1) +
                        static_cast<int64_t>(kEndBytes);
  const int64_t store = 18 + column + digits(4 * counts.cycles);
  const int64_t cycle = static_cast<int64_t>(fmt::format("#cycle{}\n", counts.cycles).size());
  return counts.bricks_used * brick + counts.units_used * (unit + 17) + job.Uses() * store +
         counts.cycles * cycle;
}

}  // namespace

Result<StreamText> WriteStream(const WindowJob& job) {
  const Counts counts = Count(job);
  constexpr int64_t kMostLines = kMaxStreamBytes / 16;  // keeps the product below within 64 bits
  const int64_t most = counts.instructions <= kMostLines && counts.cycles <= kMostLines
                           ? MostBytes(job, counts)
                           : kMaxStreamBytes + 1;
  if (most > kMaxStreamBytes) {
    return Fail(
        "the stream of {} instructions would exceed {} bytes; take fewer pictures or filters",
        counts.instructions, kMaxStreamBytes);
  }
  auto bytes = std::make_unique_for_overwrite<char[]>(static_cast<size_t>(most) + kSlackBytes);
  const char* end = Writer(job, bytes.get()).Write();
  const auto size = static_cast<size_t>(end - bytes.get());
  LICHEN_CHECK(size <= static_cast<size_t>(most));
  return StreamText(std::move(bytes), size);
}

}  // namespace lichen::fusion

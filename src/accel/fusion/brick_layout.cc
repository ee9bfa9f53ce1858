#include "accel/fusion/brick_layout.h"

#include <algorithm>
#include <string_view>

#include "base/check.h"

namespace lichen::fusion {
namespace {

// A product's bricks as rows of its part of the grid: the input bit of each, '.' where it is idle. The weight bit is
// what is left of the brick's shift.
struct Pattern {
  OperandPair pair;
  std::array<std::string_view, 4> rows;
};

// The part is a quadrant, a half or the whole grid.
constexpr Pattern kPatterns[] = {
    {{2, 2}, {".0", ".."}},
    {{4, 2}, {".0", ".2"}},
    {{2, 4}, {".0", ".0"}},
    {{6, 2}, {".0", "42"}},
    {{2, 6}, {".0", "00"}},
    {{4, 4}, {"00", "22"}},
    {{8, 2}, {"6420", "...."}},
    {{2, 8}, {"0000", "...."}},
    {{6, 4}, {".200", ".442"}},
    {{4, 6}, {".000", ".222"}},
    {{8, 4}, {"6420", "6420"}},
    {{4, 8}, {"2000", "2022"}},
    {{8, 6}, {"6420", "6420", "6420", "...."}},
    {{6, 8}, {"4200", "4202", "4204", "...."}},
    {{8, 8}, {"0000", "2222", "4444", "6666"}},
};

// (6,6): nine bricks of a product, and those of the fourth product that three units share.
constexpr OperandPair kShared = {6, 6};
constexpr std::array<std::string_view, 4> kWhole = {"2000", "4422", "...4", "...."};
constexpr std::array<std::array<std::string_view, 4>, 3> kFourth = {{
    {"....", "....", ".4..", "...."},
    {"....", "....", "20..", "44.."},
    {"....", "....", "00..", "22.."},
}};

const Pattern& PatternOf(OperandPair pair) {
  const auto* found = std::ranges::find(kPatterns, pair, &Pattern::pair);
  LICHEN_CHECK(found != std::end(kPatterns));
  return *found;
}

// Units that hold one, two or four products of their own.
int ProductsPerUnit(const Pattern& pattern) {
  if (pattern.rows[0].size() == 2) return 4;
  return pattern.rows[2].empty() ? 2 : 1;
}

// Adds a product's bricks, whose part of the grid begins at (top, left).
void Add(const std::array<std::string_view, 4>& rows, size_t top, size_t left, uint8_t slot,
         UnitLayout& unit) {
  for (size_t i = 0; i < rows.size(); ++i) {
    for (size_t j = 0; j < rows[i].size(); ++j) {
      if (rows[i][j] == '.') continue;
      const int index = static_cast<int>((top + i) * 4 + left + j);
      const int input_bit = rows[i][j] - '0';
      const int shift =
          ShiftInQuadrant(index) + unit.quadrant_shifts[static_cast<size_t>(QuadrantOf(index))];
      unit.bricks.push_back({static_cast<uint8_t>(index), slot, static_cast<uint8_t>(input_bit),
                             static_cast<uint8_t>(shift - input_bit)});
    }
  }
}

void SortBricks(UnitLayout& unit) { std::ranges::sort(unit.bricks, {}, &Brick::index); }

// Products `first` to `first + count - 1` in a unit of their own.
UnitLayout OwnUnit(const Pattern& pattern, int32_t first, int count) {
  UnitLayout unit;
  const int capacity = ProductsPerUnit(pattern);
  if (capacity == 2) unit.quadrant_shifts = {4, 0, static_cast<uint8_t>(count == 2 ? 4 : 0), 0};
  if (capacity == 1) unit.quadrant_shifts = {4, 0, 8, 4};
  for (int slot = 0; slot < count; ++slot) {
    unit.products[static_cast<size_t>(slot)] = first + slot;
    // Four: top right, top left, bottom right, bottom left. Two: top, bottom.
    const int top = capacity == 4 ? slot / 2 * 2 : slot * 2;
    const int left = capacity == 4 && slot % 2 == 0 ? 2 : 0;
    Add(pattern.rows, static_cast<size_t>(top), static_cast<size_t>(left),
        static_cast<uint8_t>(slot), unit);
  }
  SortBricks(unit);
  return unit;
}

// (6,6): three units hold three products, and with `has_fourth` parts of the next.
UnitLayout SharedUnit(int32_t group, int32_t place, bool has_fourth) {
  UnitLayout unit;
  unit.quadrant_shifts = {4, 0, static_cast<uint8_t>(has_fourth && place < 2 ? 4 : 0), 4};
  unit.products = {4 * group + place, 4 * group + 3};
  Add(kWhole, 0, 0, 0, unit);
  if (has_fourth) Add(kFourth[static_cast<size_t>(place)], 0, 0, 1, unit);
  SortBricks(unit);
  return unit;
}

}  // namespace

bool IsKnown(OperandPair pair) {
  const auto is_width = [](int bits) { return bits == 2 || bits == 4 || bits == 6 || bits == 8; };
  return is_width(pair.input_bits) && is_width(pair.weight_bits);
}

std::vector<UnitLayout> LayOutColumn(OperandPair pair, int64_t products) {
  std::vector<UnitLayout> units;
  const auto count = static_cast<int32_t>(products);
  if (pair == kShared) {
    for (int32_t group = 0; 4 * group < count; ++group) {
      const int32_t left = count - 4 * group;
      for (int32_t place = 0; place < std::min(left, 3); ++place) {
        units.push_back(SharedUnit(group, place, left >= 4));
      }
    }
    return units;
  }
  const Pattern& pattern = PatternOf(pair);
  const int per_unit = ProductsPerUnit(pattern);
  for (int32_t first = 0; first < count; first += per_unit) {
    units.push_back(OwnUnit(pattern, first, std::min(per_unit, count - first)));
  }
  return units;
}

int64_t ColumnCapacity(OperandPair pair, int64_t rows) {
  if (pair != kShared) return rows * ProductsPerUnit(PatternOf(pair));
  // The last three of a whole number of threes have no fourth product.
  return rows / 3 * 4 + (rows % 3 == 0 ? -1 : rows % 3);
}

int64_t UnitsOf(OperandPair pair, int64_t products) {
  if (pair == kShared) return products / 4 * 3 + products % 4;
  const int per_unit = ProductsPerUnit(PatternOf(pair));
  return (products + per_unit - 1) / per_unit;
}

}  // namespace lichen::fusion

// Which operand bits each brick of a fusion unit multiplies, for every pair of operand widths.
//
// Contract: a unit is a grid of 4 x 4 bricks, each of which multiplies two bits by two bits. Brick (i, j) has index
// 4 * i + j. Its product is shifted left by its place in its quadrant (2, 0 / 4, 2) and then by the quadrant's shift, which
// the unit's configuration sets; the sum of a unit's bricks, and of a column's units, goes to the column's accumulator.
// Layouts: Bit Fusion's instruction streams (docs/fusion.md).
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace lichen::fusion {

// Widths of unsigned operands: each 2, 4, 6 or 8.
struct OperandPair {
  int input_bits = 8;
  int weight_bits = 8;
  bool operator==(const OperandPair&) const = default;
};

bool IsKnown(OperandPair pair);

inline constexpr int kBricksPerUnit = 16;

struct Brick {
  uint8_t index = 0;
  uint8_t slot = 0;  // of the unit's products: which one it is a part of
  uint8_t input_bit = 0;
  uint8_t weight_bit = 0;
};

// A unit at work.
struct UnitLayout {
  std::array<uint8_t, 4> quadrant_shifts{};  // top left, top right, bottom left, bottom right
  std::array<int32_t, 4> products{};         // by slot: which of the column's products
  std::vector<Brick> bricks;                 // by rising index
};

// The units of a column that computes so many products, from row 0. Requires 1 <= products <= ColumnCapacity().
std::vector<UnitLayout> LayOutColumn(OperandPair pair, int64_t products);

// Products that a column of so many rows takes in a cycle.
int64_t ColumnCapacity(OperandPair pair, int64_t rows);

// Units that so many products of a column occupy.
int64_t UnitsOf(OperandPair pair, int64_t products);

// Bricks of one product.
constexpr int64_t BricksOf(OperandPair pair) {
  return int64_t{pair.input_bits / 2} * (pair.weight_bits / 2);
}

// The quadrant of a brick: 0 to 3 as in quadrant_shifts.
constexpr int QuadrantOf(int brick) { return brick / 8 * 2 + brick % 4 / 2; }

// The shift of a brick within its quadrant.
constexpr int ShiftInQuadrant(int brick) { return brick / 4 % 2 * 2 + (brick % 2 == 0 ? 2 : 0); }
static_assert(ShiftInQuadrant(0) == 2 && ShiftInQuadrant(1) == 0 && ShiftInQuadrant(4) == 4 &&
              ShiftInQuadrant(15) == 2);

}  // namespace lichen::fusion

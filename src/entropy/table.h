// Integer probability tables for the rANS coder, and their checker.
//
// Contract: a table gives frequency f_i to the symbols min_symbol, min_symbol + 1, ...; if has_escape, the last frequency
// belongs to "any other int16". CheckTables proves that every frequency is >= 1, that each table's sum is exactly
// 1 << prob_bits and that all sizes are bounded; whatever passes can be decoded. Tables are stored in the model as integers,
// never computed while coding, so that every machine reads the same bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "base/probability_table.h"
#include "base/result.h"

namespace lichen {

inline constexpr int kMinProbBits = 12;
inline constexpr int kMaxProbBits = 16;
inline constexpr int kMaxTableSymbols = 4096;  // frequencies per table, escape included
inline constexpr int kMaxTables = 4096;
// Symbols of a table lie in [-kMaxTableSymbol, kMaxTableSymbol]; -32768 can only be coded as an escape.
inline constexpr int32_t kMaxTableSymbol = 32767;

// An error names the table and the entry.
Result<void> CheckTables(const TableSet& set);

}  // namespace lichen

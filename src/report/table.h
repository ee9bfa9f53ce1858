// Tables of texts and numbers: aligned for people, CSV for programs.
//
// Contract: every row has as many cells as the header. Columns whose cells are all numbers (or empty) are
// aligned to the right. CSV follows RFC 4180 with "\n" as line end.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace lichen {

struct Table {
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
};

// Ends with a line feed; no trailing blanks. Widths count code points of UTF-8.
std::string ToText(const Table& table);
std::string ToCsv(const Table& table);

// Reads what ToCsv() writes, and CSV of other origin: quoted cells, "\r\n", empty lines. Error: a row with
// another number of cells than the header, or an open quote; names the line.
Result<Table> ParseCsv(std::string_view text);

}  // namespace lichen

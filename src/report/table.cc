#include "report/table.h"

#include <algorithm>
#include <charconv>

#include "base/check.h"

namespace lichen {
namespace {

size_t Width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  }));
}

bool IsNumber(std::string_view text) {
  if (text.starts_with('+')) text.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

void AppendCsvRow(const std::vector<std::string>& cells, std::string& out) {
  for (size_t i = 0; i < cells.size(); ++i) {
    if (i > 0) out += ',';
    if (cells[i].find_first_of(",\"\r\n") == std::string::npos) {
      out += cells[i];
      continue;
    }
    out += '"';
    for (const char c : cells[i]) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
  out += '\n';
}

// Takes one row (which may span lines) off `text`; false: an open quote.
bool TakeCsvRow(std::string_view& text, std::vector<std::string>& cells) {
  cells.assign(1, "");
  bool is_quoted = false;
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (is_quoted) {
      if (c != '"') {
        cells.back() += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cells.back() += text[i++];
      } else {
        is_quoted = false;
      }
    } else if (c == '"' && cells.back().empty()) {
      is_quoted = true;
    } else if (c == ',') {
      cells.emplace_back();
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      cells.back() += c;
    }
  }
  text.remove_prefix(std::min(i + 1, text.size()));
  return !is_quoted;
}

}  // namespace

std::string ToText(const Table& table) {
  const size_t columns = table.header.size();
  std::vector<size_t> widths(columns);
  std::vector<bool> is_right(columns, !table.rows.empty());
  for (size_t c = 0; c < columns; ++c) {
    widths[c] = Width(table.header[c]);
    for (const auto& row : table.rows) {
      LICHEN_CHECK(row.size() == columns);
      widths[c] = std::max(widths[c], Width(row[c]));
      if (!row[c].empty() && !IsNumber(row[c])) is_right[c] = false;
    }
  }
  std::string out;
  const auto append = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (size_t c = 0; c < columns; ++c) {
      const std::string blanks(widths[c] - Width(cells[c]), ' ');
      if (c > 0) line += "  ";
      line += is_right[c] ? blanks + cells[c] : cells[c] + blanks;
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  };
  append(table.header);
  for (const auto& row : table.rows) append(row);
  return out;
}

std::string ToCsv(const Table& table) {
  std::string out;
  AppendCsvRow(table.header, out);
  for (const auto& row : table.rows) AppendCsvRow(row, out);
  return out;
}

Result<Table> ParseCsv(std::string_view text) {
  Table table;
  std::vector<std::string> cells;
  for (size_t row = 1; !text.empty(); ++row) {
    if (!TakeCsvRow(text, cells)) return Fail("row {}: a quoted cell does not end", row);
    if (cells.size() == 1 && cells[0].empty()) continue;
    if (table.header.empty()) {
      table.header = cells;
    } else if (cells.size() != table.header.size()) {
      return Fail("row {} has {} cells, the header {}", row, cells.size(), table.header.size());
    } else {
      table.rows.push_back(cells);
    }
  }
  if (table.header.empty()) return Fail("has no header line");
  return table;
}

}  // namespace lichen

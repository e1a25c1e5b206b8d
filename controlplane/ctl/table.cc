#include "controlplane/ctl/table.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <utility>

namespace penstock {
namespace {

/// Columns on the screen, which for UTF-8 text is not its length in bytes.
std::size_t width(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (std::string& cell : cells) {
    if (cell.empty()) cell = "-";
  }
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  std::vector<std::string> titles;
  for (const Column& column : columns_) {
    titles.push_back(column.title);
    widths.push_back(width(column.title));
  }
  for (const auto& row : rows_) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i]));
  }
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string pad(widths[i] - width(cells[i]), ' ');
      text += (i == 0 ? "" : "  ") + (columns_[i].right ? pad + cells[i] : cells[i] + pad);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out += text + "\n";
  };
  line(titles);
  for (const auto& row : rows_) line(row);
  return out;
}

std::string short_number(double value) {
  static constexpr const char* kSuffixes[] = {"", "k", "M", "G", "T"};
  std::size_t power = 0;
  while (value >= 999.5 && power + 1 < std::size(kSuffixes)) {
    value /= 1000;
    ++power;
  }
  char text[32];
  const int decimals =
      value >= 99.95 || (power == 0 && value == static_cast<double>(static_cast<long>(value))) ? 0
      : value >= 9.995                                                                         ? 1
                                                                                               : 2;
  std::snprintf(text, sizeof text, "%.*f%s", decimals, value, kSuffixes[power]);
  return text;
}

}  // namespace penstock

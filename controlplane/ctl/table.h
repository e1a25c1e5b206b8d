// A table for a terminal: columns as wide as their widest cell, two spaces between, numbers to the right.
#pragma once

#include <string>
#include <vector>

namespace penstock {

class Table {
 public:
  struct Column {
    std::string title;
    bool right = false;  // numbers
  };

  explicit Table(std::vector<Column> columns);

  /// As many cells as columns. An empty cell is shown as "-".
  void add(std::vector<std::string> cells);

  /// Lines ending in newlines, without trailing spaces; the titles alone when there is no row.
  [[nodiscard]] std::string text() const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// 0, 950, 1.20k, 34.5k, 1.20M: three significant digits, for rates.
std::string short_number(double value);

}  // namespace penstock

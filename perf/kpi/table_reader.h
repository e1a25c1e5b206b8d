// Reads tables of text, one row a line, and refuses what it does not understand: every error names file and
// line ("mongo-01.csv:17: ...").
//
// Fields are split at a delimiter and may stand in double quotes (without a delimiter or a quote inside). Any
// thread; the whole file is read at once.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::kpi {

class Table {
 public:
  /// `columns`: the names that the first line must consist of; empty: there is no such line.
  /// `width`: fields of every row. NotFound if the file cannot be opened.
  [[nodiscard]] static Result<Table> read(const std::string& path, char delimiter, std::size_t width,
                                          std::string_view columns = {});

  [[nodiscard]] std::size_t rows() const { return fields_.size() / width_; }
  /// A finite number >= 0.
  [[nodiscard]] Result<double> number(std::size_t row, std::size_t column) const;
  /// Seconds since 1970 of "YYYY-MM-DD", a space or T, "hh:mm:ss", a fraction or none, Z or none.
  [[nodiscard]] Result<double> time(std::size_t row, std::size_t column) const;
  [[nodiscard]] std::string_view text(std::size_t row, std::size_t column) const {
    return fields_[row * width_ + column];
  }
  [[nodiscard]] Error error(std::size_t row, std::string message) const;

 private:
  std::string path_;
  std::size_t width_ = 1, first_line_ = 1;
  std::vector<std::string> fields_;
};

}  // namespace penstock::kpi

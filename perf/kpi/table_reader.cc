#include "perf/kpi/table_reader.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <fstream>
#include <optional>

namespace penstock::kpi {
namespace {

/// The fields of a line, or nothing if a quote is out of place.
std::optional<std::vector<std::string>> split(std::string_view line, char delimiter) {
  std::vector<std::string> fields;
  for (std::size_t at = 0;; ++at) {
    const auto end = std::min(line.find(delimiter, at), line.size());
    std::string_view field = line.substr(at, end - at);
    if (field.size() >= 2 && field.front() == '"' && field.back() == '"') {
      field = field.substr(1, field.size() - 2);
    }
    if (field.find('"') != field.npos) return std::nullopt;
    fields.emplace_back(field);
    at = end;
    if (end == line.size()) return fields;
  }
}

std::string joined(const std::vector<std::string>& fields, char delimiter) {
  std::string all;
  for (const auto& field : fields) all += (all.empty() ? "" : std::string(1, delimiter)) + field;
  return all;
}

/// Takes `digits` digits and the `then` behind them off the front.
bool take(std::string_view& text, std::size_t digits, std::string_view then, int& value) {
  if (text.size() <= digits && !(then.empty() && text.size() == digits)) return false;
  const auto [end, code] = std::from_chars(text.data(), text.data() + digits, value);
  if (code != std::errc{} || end != text.data() + digits || value < 0) return false;
  text.remove_prefix(digits);
  if (then.empty()) return true;
  if (then.find(text.front()) == then.npos) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (code != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<double> parse_time(std::string_view text) {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take(text, 4, "-", year) || !take(text, 2, "-", month) || !take(text, 2, " T", day) ||
      !take(text, 2, ":", hour) || !take(text, 2, ":", minute) || !take(text, 2, "", second)) {
    return std::nullopt;
  }
  if (text.ends_with('Z')) text.remove_suffix(1);
  double fraction = 0;
  if (!text.empty()) {
    const auto value = text.front() == '.' ? parse_number(text) : std::nullopt;
    if (!value) return std::nullopt;
    fraction = *value;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const double days = static_cast<double>(std::chrono::sys_days(date).time_since_epoch().count());
  return days * 86400 + hour * 3600 + minute * 60 + second + fraction;
}

}  // namespace

Error Table::error(std::size_t row, std::string message) const {
  return invalid(path_ + ":" + std::to_string(row + first_line_), std::move(message));
}

Result<Table> Table::read(const std::string& path, char delimiter, std::size_t width,
                          std::string_view columns) {
  std::ifstream in(path);
  if (!in) return Error{ErrorCode::kNotFound, "cannot be read", path};
  Table table;
  table.path_ = path;
  table.width_ = width;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const std::string place = path + ":" + std::to_string(number);
    if (line.ends_with('\r')) line.pop_back();
    auto fields = split(line, delimiter);
    if (!fields) return invalid(place, "a quote is out of place");
    if (number == 1 && !columns.empty()) {
      if (joined(*fields, delimiter) != columns) return invalid(place, "must read " + std::string(columns));
      table.first_line_ = 2;
      continue;
    }
    if (fields->size() != width) {
      return invalid(place,
                     "has " + std::to_string(fields->size()) + " fields, must have " + std::to_string(width));
    }
    for (auto& field : *fields) table.fields_.push_back(std::move(field));
  }
  if (table.fields_.empty()) return invalid(path, "holds no row");
  return table;
}

Result<double> Table::number(std::size_t row, std::size_t column) const {
  const auto value = parse_number(text(row, column));
  if (!value || *value < 0)
    return error(row, "'" + std::string(text(row, column)) + "' must be a number >= 0");
  return *value;
}

Result<double> Table::time(std::size_t row, std::size_t column) const {
  const auto value = parse_time(text(row, column));
  if (!value) return error(row, "'" + std::string(text(row, column)) + "' must be a date and time");
  return *value;
}

}  // namespace penstock::kpi

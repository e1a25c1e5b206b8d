// Line plots as SVG, written without a library. Colours are readable on white and on dark; the background
// stays transparent.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::kpi {

struct Line {
  std::string name;
  std::vector<std::pair<double, double>> points;  // NaN in y breaks the line
};

struct Plot {
  std::string title, x_axis, y_axis;  // axes with their units
  std::vector<Line> lines;
  std::optional<double> y_target;  // drawn as a dashed line
  bool log_y = false;              // y > 0 then; what is not is left out
};

/// Bars, grouped: one value per group and series.
struct BarPlot {
  std::string title, y_axis;
  std::vector<std::string> groups;
  std::vector<std::pair<std::string, std::vector<double>>> series;
};

[[nodiscard]] std::string svg_of(const Plot& plot);
[[nodiscard]] std::string svg_of(const BarPlot& plot);
[[nodiscard]] Status write_text(const std::string& path, const std::string& text);

}  // namespace penstock::kpi

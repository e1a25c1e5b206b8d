#include "perf/kpi/svg_plot.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>

namespace penstock::kpi {
namespace {

constexpr double kWidth = 860, kHeight = 420, kLeft = 70, kRight = 190, kTop = 40, kBottom = 50;
constexpr double kPlotWidth = kWidth - kLeft - kRight, kPlotHeight = kHeight - kTop - kBottom;
constexpr const char* kText = "#7f8790";  // half way between black and white
constexpr std::array kColours = {"#3b82d6", "#e0712a", "#2f9e58", "#c94f9b", "#8a70d6",
                                 "#a88a1c", "#22a0a8", "#d24b4b", "#7d8a3c"};

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

std::string at(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '&')
      out += "&amp;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string label(double x, double y, const char* anchor, const std::string& text,
                  const std::string& more = "") {
  return "<text x=\"" + at(x) + "\" y=\"" + at(y) + "\" text-anchor=\"" + anchor + "\"" + more + ">" +
         escaped(text) + "</text>\n";
}

std::string stroke(double x1, double y1, double x2, double y2, const char* colour,
                   const std::string& more = "") {
  return "<line x1=\"" + at(x1) + "\" y1=\"" + at(y1) + "\" x2=\"" + at(x2) + "\" y2=\"" + at(y2) +
         "\" stroke=\"" + colour + "\"" + more + "/>\n";
}

std::string frame(const std::string& title, const std::string& y_axis, const std::string& body) {
  return "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 " + number(kWidth) + " " + number(kHeight) +
         "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"" + kText + "\">\n<title>" + escaped(title) +
         "</title>\n" + label(kLeft, 22, "start", title, " font-size=\"15\"") +
         label(16, kTop + kPlotHeight / 2, "middle", y_axis,
               " transform=\"rotate(-90 16 " + at(kTop + kPlotHeight / 2) + ")\"") +
         body + "</svg>\n";
}

std::string legend(std::size_t index, const std::string& name) {
  const double y = kTop + 10 + 20 * static_cast<double>(index), x = kWidth - kRight + 14;
  return "<rect x=\"" + at(x) + "\" y=\"" + at(y - 9) + "\" width=\"12\" height=\"10\" fill=\"" +
         kColours[index % kColours.size()] + "\"/>\n" + label(x + 18, y, "start", name);
}

struct Axis {
  double low = 0, high = 1, step = 1;
  bool log = false;

  [[nodiscard]] double place(double value) const {  // 0 at low, 1 at high
    return log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
  }
  [[nodiscard]] std::vector<double> ticks() const {
    std::vector<double> all;
    if (log) {
      for (double v = low; v <= high * 1.0001; v *= 10) all.push_back(v);
    } else {
      for (int i = 0; low + i * step <= high + step * 1e-6; ++i) all.push_back(low + i * step);
    }
    return all;
  }
};

Axis axis_over(double low, double high, bool log) {
  if (log) {
    const double from = std::pow(10, std::floor(std::log10(low)));
    return {from, std::max(std::pow(10, std::ceil(std::log10(high))), from * 10), 0, true};
  }
  if (!(high > low)) high = low + 1;
  const double raw = (high - low) / 6, power = std::pow(10, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double unit : {5.0, 2.0, 1.0}) {
    if (unit * power >= raw) step = unit * power;
  }
  return {std::floor(low / step) * step, std::ceil(high / step) * step, step, false};
}

double x_of(const Axis& axis, double value) { return kLeft + axis.place(value) * kPlotWidth; }
double y_of(const Axis& axis, double value) { return kTop + (1 - axis.place(value)) * kPlotHeight; }

std::string y_grid(const Axis& axis) {
  std::string out;
  for (const double tick : axis.ticks()) {
    const double y = y_of(axis, tick);
    out += stroke(kLeft, y, kLeft + kPlotWidth, y, kText, " stroke-opacity=\"0.25\"");
    out += label(kLeft - 6, y + 4, "end", number(tick));
  }
  return out;
}

bool drawable(const Plot& plot, double y) { return std::isfinite(y) && (!plot.log_y || y > 0); }

std::string path_of(const Plot& plot, const Line& line, const Axis& x, const Axis& y, const char* colour) {
  std::string d;
  bool pen_down = false;
  for (const auto& [px, py] : line.points) {
    if (!drawable(plot, py)) {
      pen_down = false;
      continue;
    }
    d += (pen_down ? "L" : "M") + at(x_of(x, px)) + " " + at(y_of(y, py));
    pen_down = true;
  }
  return "<path d=\"" + d + "\" fill=\"none\" stroke-width=\"1.6\" stroke=\"" + colour + "\"/>\n";
}

}  // namespace

std::string svg_of(const Plot& plot) {
  double x_low = INFINITY, x_high = -INFINITY, y_low = plot.log_y ? INFINITY : 0, y_high = -INFINITY;
  const auto include_y = [&](double y) {
    if (!drawable(plot, y)) return;
    y_low = std::min(y_low, y);
    y_high = std::max(y_high, y);
  };
  for (const auto& line : plot.lines) {
    for (const auto& [x, y] : line.points) {
      x_low = std::min(x_low, x);
      x_high = std::max(x_high, x);
      include_y(y);
    }
  }
  if (plot.y_target) include_y(*plot.y_target);
  if (!(x_low <= x_high) || !(y_low <= y_high)) return frame(plot.title, plot.y_axis, "");
  const Axis x = axis_over(x_low, x_high, false), y = axis_over(y_low, y_high, plot.log_y);

  std::string body = y_grid(y);
  for (const double tick : x.ticks()) {
    body += label(x_of(x, tick), kTop + kPlotHeight + 18, "middle", number(tick));
  }
  body += label(kLeft + kPlotWidth / 2, kHeight - 12, "middle", plot.x_axis);
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    body += path_of(plot, plot.lines[i], x, y, kColours[i % kColours.size()]) + legend(i, plot.lines[i].name);
  }
  if (plot.y_target) {
    const double at_y = y_of(y, *plot.y_target);
    body += stroke(kLeft, at_y, kLeft + kPlotWidth, at_y, kText, " stroke-dasharray=\"6 4\"");
  }
  return frame(plot.title, plot.y_axis, body);
}

std::string svg_of(const BarPlot& plot) {
  double high = 0;
  for (const auto& [name, values] : plot.series) {
    for (const double v : values) high = std::isfinite(v) ? std::max(high, v) : high;
  }
  const Axis y = axis_over(0, high, false);
  const double group = kPlotWidth / static_cast<double>(std::max<std::size_t>(plot.groups.size(), 1));
  const double bar = 0.8 * group / static_cast<double>(std::max<std::size_t>(plot.series.size(), 1));
  std::string body = y_grid(y);
  for (std::size_t g = 0; g < plot.groups.size(); ++g) {
    const double left = kLeft + group * static_cast<double>(g);
    body += label(left + group / 2, kTop + kPlotHeight + 18, "middle", plot.groups[g]);
    for (std::size_t s = 0; s < plot.series.size(); ++s) {
      const auto& values = plot.series[s].second;
      if (g >= values.size() || !std::isfinite(values[g])) continue;
      const double top = y_of(y, values[g]), x = left + 0.1 * group + bar * static_cast<double>(s);
      body += "<rect x=\"" + at(x) + "\" y=\"" + at(top) + "\" width=\"" + at(bar * 0.9) + "\" height=\"" +
              at(kTop + kPlotHeight - top) + "\" fill=\"" + kColours[s % kColours.size()] + "\"/>\n";
    }
  }
  for (std::size_t s = 0; s < plot.series.size(); ++s) body += legend(s, plot.series[s].first);
  return frame(plot.title, plot.y_axis, body);
}

Status write_text(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::trunc);
  out << text;
  out.close();
  if (!out) return unavailable(path + " cannot be written");
  return Ok{};
}

}  // namespace penstock::kpi

// The Prometheus text format 0.0.4.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace penstock {

/// One metric family: HELP and TYPE once, then its samples.
class Family {
 public:
  using Labels = std::initializer_list<std::pair<const char*, std::string_view>>;

  Family(std::string& out, std::string name, const char* type, const char* help)
      : out_(out), name_(std::move(name)) {
    out_ += "# HELP " + name_ + " " + help + "\n# TYPE " + name_ + " " + type + "\n";
  }

  void sample(Labels labels, std::uint64_t value) { line(labels, std::to_string(value)); }

  /// Nothing for what is no number.
  void real(Labels labels, double value) {
    if (!std::isfinite(value)) return;
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", value);
    line(labels, text);
  }

  /// In seconds, as Prometheus wants times.
  void seconds(Labels labels, std::uint64_t milliseconds) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f", static_cast<double>(milliseconds) / 1000);
    line(labels, text);
  }

 private:
  void line(Labels labels, const std::string& value) {
    out_ += name_;
    char open = '{';
    for (const auto& [label, text] : labels) {
      out_ += open + std::string(label) + "=\"" + escape(text) + "\"";
      open = ',';
    }
    if (open == ',') out_ += '}';
    out_ += " " + value + "\n";
  }

  static std::string escape(std::string_view text) {
    std::string out;
    for (const char c : text) {
      if (c == '\n') {
        out += "\\n";
        continue;
      }
      if (c == '\\' || c == '"') out += '\\';
      out += c;
    }
    return out;
  }

  std::string& out_;
  std::string name_;
};

}  // namespace penstock

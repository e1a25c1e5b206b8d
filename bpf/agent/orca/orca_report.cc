#include "bpf/agent/orca/orca_report.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "penstock/config/limits.h"

namespace penstock {
namespace {

constexpr double kNoLimit = std::numeric_limits<double>::infinity();

struct Field {
  const char* name;
  std::optional<double> OrcaReport::*value;
  double most;  // from 0
};
constexpr Field kFields[] = {
    {"cpu_utilization", &OrcaReport::cpu_utilization, kNoLimit},
    {"mem_utilization", &OrcaReport::mem_utilization, 1},
    {"application_utilization", &OrcaReport::application_utilization, kNoLimit},
    {"rps_fractional", &OrcaReport::rps_fractional, kNoLimit},
    {"rps", &OrcaReport::rps_fractional, kNoLimit},  // its older name
    {"eps", &OrcaReport::eps, kNoLimit},
};

struct MapField {
  const char* name;
  std::map<std::string, double> OrcaReport::*values;
  double least, most;
};
constexpr MapField kMapFields[] = {
    {"utilization", &OrcaReport::utilization, 0, 1},
    {"named_metrics", &OrcaReport::named_metrics, -kNoLimit, kNoLimit},
    {"request_cost", &OrcaReport::request_cost, -kNoLimit, kNoLimit},
};

/// "cpuUtilization" -> "cpu_utilization"
std::string snake_case(const std::string& name) {
  std::string out;
  for (const char c : name) {
    if (c >= 'A' && c <= 'Z') {
      out += '_';
      out += static_cast<char>(c - 'A' + 'a');
    } else {
      out += c;
    }
  }
  return out;
}

/// What may be said of somebody else's bytes in a sentence.
std::string in_quotes(std::string_view text) {
  std::string out = "'";
  for (const char c : text.substr(0, 64)) out += c >= 0x20 && c < 0x7f ? c : '?';
  return out + "'";
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxOrcaNameBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Status check_range(const std::string& name, double value, double least, double most) {
  if (!std::isfinite(value)) return invalid(name, "must be a finite number");
  if (value < least || value > most)
    return invalid(name, most == 1 ? "must be 0–1, where 1 is all of it" : "must not be negative");
  return Ok{};
}

Status put(OrcaReport& report, const MapField& field, const std::string& name, double value) {
  auto& values = report.*field.values;
  if (!is_name(name)) {
    return invalid(field.name,
                   in_quotes(name) + " is not a name of 1–128 printable characters without blanks");
  }
  if (auto good = check_range(std::string(field.name) + "." + name, value, field.least, field.most); !good)
    return good.error();
  values[name] = value;
  if (values.size() > kMaxOrcaNames) return invalid(field.name, "has more than 64 entries");
  return Ok{};
}

Status put_service(OrcaReport& report, const std::string& service) {
  if (!is_valid_id(service.data(), service.size()))
    return invalid("service", in_quotes(service) + " cannot be a service's id");
  report.service = service;
  return Ok{};
}

Status put_json(OrcaReport& report, const std::string& name, const nlohmann::json& value) {
  if (name == "service") {
    if (!value.is_string()) return invalid(name, "must be a string");
    return put_service(report, value.get<std::string>());
  }
  for (const Field& field : kFields) {
    if (name != field.name) continue;
    if (!value.is_number()) return invalid(name, "must be a number");
    if (auto good = check_range(name, value.get<double>(), 0, field.most); !good) return good.error();
    report.*field.value = value.get<double>();
    return Ok{};
  }
  for (const MapField& field : kMapFields) {
    if (name != field.name) continue;
    if (!value.is_object()) return invalid(name, "must be an object of names and numbers");
    for (const auto& [key, entry] : value.items()) {
      if (!entry.is_number()) return invalid(name + "." + in_quotes(key), "must be a number");
      if (auto done = put(report, field, key, entry.get<double>()); !done) return done.error();
    }
    return Ok{};
  }
  return invalid(in_quotes(name), "is none of ORCA's names");
}

Status put_text(OrcaReport& report, const std::string& name, double value) {
  for (const Field& field : kFields) {
    if (name != field.name) continue;
    if (auto good = check_range(name, value, 0, field.most); !good) return good.error();
    report.*field.value = value;
    return Ok{};
  }
  for (const MapField& field : kMapFields) {
    const std::string prefix = std::string(field.name) + ".";
    if (name.starts_with(prefix)) return put(report, field, name.substr(prefix.size()), value);
  }
  return invalid(in_quotes(name), "is none of ORCA's names");
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// name=value,name=value
Result<OrcaReport> parse_text(std::string_view text) {
  OrcaReport report;
  while (!text.empty()) {
    const auto comma = text.find(',');
    const std::string_view pair = trimmed(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    const auto equals = pair.find('=');
    const std::string name(trimmed(pair.substr(0, equals)));
    const std::string_view number = equals == std::string_view::npos ? "" : trimmed(pair.substr(equals + 1));
    double value = 0;
    const auto [stopped, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (number.empty() || error != std::errc{} || stopped != number.data() + number.size())
      return invalid(in_quotes(name), "is not followed by '=' and a number");
    if (auto done = put_text(report, name, value); !done) return done.error();
  }
  return report;
}

}  // namespace

Result<OrcaReport> parse_orca_json(std::string_view text) {
  if (text.size() > kMaxOrcaBytes) return invalid("", "a report has at most 16384 bytes");
  // The text is checked without exceptions; those of conversions cannot happen after the checks of types.
  const auto document = nlohmann::json::parse(text, nullptr, false);
  if (document.is_discarded()) return invalid("", "a report must be one JSON object in one line");
  if (!document.is_object()) return invalid("", "a report must be a JSON object");
  OrcaReport report;
  for (const auto& [name, value] : document.items()) {
    if (auto done = put_json(report, snake_case(name), value); !done) return done.error();
  }
  return report;
}

Result<OrcaReport> parse_orca_header(std::string_view value) {
  if (value.size() > kMaxOrcaBytes) return invalid("endpoint-load-metrics", "has more than 16384 bytes");
  if (value.starts_with("TEXT ")) return parse_text(trimmed(value.substr(5)));
  if (value.starts_with("JSON ")) return parse_orca_json(value.substr(5));
  return invalid("endpoint-load-metrics", "must begin with 'TEXT ' or 'JSON '");
}

}  // namespace penstock

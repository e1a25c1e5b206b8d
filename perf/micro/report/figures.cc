#include "perf/micro/report/figures.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <nlohmann/json.hpp>

#include "penstock/base/exit_code.h"
#include "perf/micro/report/fingerprint.h"

namespace penstock::perf {

namespace {

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.4g", value);
  return text;
}

nlohmann::ordered_json to_json(const Figure& figure) {
  nlohmann::ordered_json json;
  json["name"] = figure.name;
  json["value"] = figure.value;
  json["unit"] = figure.unit;
  json["target"] = figure.target ? nlohmann::ordered_json(figure.target->text()) : nlohmann::ordered_json();
  json["pass"] = figure.pass();
  json["median"] = figure.value;
  json["spread"] = figure.spread;
  json["repetitions"] = figure.repetitions;
  return json;
}

}  // namespace

BenchOptions bench_options_or_exit(int argc, char** argv) {
  BenchOptions options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--quick") {
      options.quick = true;
    } else if (argument == "--json" && i + 1 < argc) {
      options.json_path = argv[++i];
    } else {
      std::fprintf(stderr, "%s: bad argument \"%s\"; usage: %s [--json FILE] [--quick]\n", argv[0], argv[i],
                   argv[0]);
      std::exit(kExitUsage);
    }
  }
  return options;
}

std::string Target::text() const { return (sense == Sense::kAtMost ? "<= " : ">= ") + short_number(bound); }

Samples::Samples(std::vector<double> values) : sorted_(std::move(values)) {
  std::sort(sorted_.begin(), sorted_.end());
}

Samples Samples::scaled(double factor) const {
  Samples other = *this;
  for (double& value : other.sorted_) value *= factor;
  return other;
}

double Samples::quantile(double q) const {
  if (sorted_.empty()) return std::nan("");
  const double position = q * static_cast<double>(sorted_.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const std::size_t above = std::min(below + 1, sorted_.size() - 1);
  const double part = position - static_cast<double>(below);
  return sorted_[below] * (1 - part) + sorted_[above] * part;
}

double Samples::median() const { return quantile(0.5); }
double Samples::spread() const { return (quantile(0.75) - quantile(0.25)) / 2; }

void Figures::add(std::string name, double value, std::string unit, std::optional<Target> target) {
  figures_.push_back({std::move(name), value, std::move(unit), target});
}

void Figures::add(std::string name, const Samples& samples, std::string unit, std::optional<Target> target) {
  figures_.push_back(
      {std::move(name), samples.median(), std::move(unit), target, samples.spread(), samples.count()});
}

bool Figures::all_pass() const {
  return std::all_of(figures_.begin(), figures_.end(), [](const Figure& f) { return f.pass(); });
}

void Figures::print(std::ostream& out) const {
  std::size_t width = 0;
  for (const Figure& f : figures_) width = std::max(width, f.name.size());
  for (const Figure& f : figures_) {
    out << std::left << std::setw(static_cast<int>(width) + 2) << f.name << std::right << std::setw(11)
        << short_number(f.value) << ' ' << f.unit;
    if (f.repetitions > 1) out << "  +- " << short_number(f.spread) << " (" << f.repetitions << " runs)";
    if (f.target) out << "  target " << f.target->text() << (f.pass() ? "  met" : "  MISSED");
    out << '\n';
  }
}

Status Figures::write_json(const std::string& path) const {
  nlohmann::ordered_json json;
  json["suite"] = suite_;
  for (const auto& [key, value] : host_fingerprint()) json["host"][key] = value;
  json["figures"] = nlohmann::ordered_json::array();
  for (const Figure& f : figures_) json["figures"].push_back(to_json(f));
  std::ofstream file(path, std::ios::trunc);
  file << json.dump(2) << '\n';
  file.close();
  if (!file) return unavailable("cannot write the figures to " + path);
  return Ok{};
}

int Figures::finish(const BenchOptions& options) const {
  print(std::cout);
  if (options.json_path.empty()) return kExitOk;
  if (const Status written = write_json(options.json_path); !written) {
    std::fprintf(stderr, "%s\n", written.error().text().c_str());
    return kExitFailure;
  }
  return kExitOk;
}

}  // namespace penstock::perf

// What every benchmark binary of perf/micro hands back: named figures, each with its unit and, where the
// project set one, its target; and the fingerprint of the host that they were measured on.
//
//   int main(int argc, char** argv) {
//     const perf::BenchOptions options = perf::bench_options_or_exit(argc, argv);
//     perf::Figures figures("maglev");
//     figures.add("maglev.build.scratch.1000.65537", samples_ms, "ms", perf::at_most(1.2));
//     return figures.finish(options);  // prints the table, writes options.json_path
//   }
//
// One thread. A missed target is a result, not a failure: finish() fails only if the file cannot be written.
#pragma once

#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::perf {

/// The command line that scripts/bench.sh uses: BIN [--json FILE] [--quick].
struct BenchOptions {
  std::string json_path;  // empty: print only
  bool quick = false;     // fewer repetitions and sizes, for a smoke run
};

/// Prints a usage line and exits with kExitUsage on anything else on the command line.
[[nodiscard]] BenchOptions bench_options_or_exit(int argc, char** argv);

struct Target {
  enum class Sense { kAtMost, kAtLeast } sense;
  double bound;

  [[nodiscard]] bool met_by(double value) const {
    return sense == Sense::kAtMost ? value <= bound : value >= bound;
  }
  [[nodiscard]] std::string text() const;  // "<= 1.2"
};
constexpr Target at_most(double bound) { return {Target::Sense::kAtMost, bound}; }
constexpr Target at_least(double bound) { return {Target::Sense::kAtLeast, bound}; }

/// Repeated measurements of one quantity, all in one unit.
class Samples {
 public:
  Samples() = default;
  explicit Samples(std::vector<double> values);  // at least one value

  [[nodiscard]] double median() const;
  /// Half the interquartile range: what a repetition typically differs from the median by.
  [[nodiscard]] double spread() const;
  /// The same measurements in another unit: every value × factor (> 0).
  [[nodiscard]] Samples scaled(double factor) const;
  [[nodiscard]] std::size_t count() const { return sorted_.size(); }

 private:
  [[nodiscard]] double quantile(double q) const;
  std::vector<double> sorted_;
};

struct Figure {
  std::string name;  // dotted, lower case: suite.what.case
  double value;      // the median where there are repetitions
  std::string unit;
  std::optional<Target> target;
  double spread = 0;  // Samples::spread(), 0 for a computed figure
  std::size_t repetitions = 1;

  [[nodiscard]] bool pass() const { return !target || target->met_by(value); }
};

class Figures {
 public:
  explicit Figures(std::string suite) : suite_(std::move(suite)) {}

  /// A computed figure (a ratio, a size).
  void add(std::string name, double value, std::string unit, std::optional<Target> target = {});
  /// A measured figure; its value is the median.
  void add(std::string name, const Samples& samples, std::string unit, std::optional<Target> target = {});

  [[nodiscard]] const std::vector<Figure>& all() const { return figures_; }
  [[nodiscard]] bool all_pass() const;

  void print(std::ostream& out) const;
  [[nodiscard]] Status write_json(const std::string& path) const;
  /// print() to stdout, write_json() if a path was given. Returns the process's exit code.
  [[nodiscard]] int finish(const BenchOptions& options) const;

 private:
  std::string suite_;
  std::vector<Figure> figures_;
};

}  // namespace penstock::perf

#include "perf/kpi/inputs.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "perf/kpi/table_reader.h"

namespace penstock::kpi {
namespace {

/// Column `value` of a table whose column 0 is ascending time.
Result<std::vector<double>> read_series(const std::string& path, std::size_t width,
                                        std::string_view columns) {
  const auto table = Table::read(path, ',', width, columns);
  if (!table) return table.error();
  std::vector<double> values;
  double before = -1;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const auto time = table->time(row, 0);
    const auto value = table->number(row, 1);
    if (!time) return time.error();
    if (!value) return value.error();
    if (*time <= before) return table->error(row, "time must ascend");
    before = *time;
    values.push_back(*value);
  }
  return values;
}

Result<std::vector<TimedWork>> read_requests(const std::string& path) {
  const auto table = Table::read(path, ',', 3, "TIMESTAMP,ContextTokens,GeneratedTokens");
  if (!table) return table.error();
  std::vector<TimedWork> requests;
  double start = 0;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const auto time = table->time(row, 0);
    const auto context = table->number(row, 1);
    const auto generated = table->number(row, 2);
    for (const auto* field : {&time, &context, &generated}) {
      if (!*field) return field->error();
    }
    if (row == 0) start = *time;
    if (!requests.empty() && *time - start < requests.back().time)
      return table->error(row, "time must ascend");
    requests.push_back({*time - start, *context + *generated});
  }
  return requests;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0;
  for (const double v : values) sum += v;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

/// Gets a second, by machine. Repeated runs of one machine show its noise, many machines their differences.
Result<std::map<std::string, std::vector<double>>> read_machines(const std::string& path) {
  const auto table = Table::read(path, ',', 4, "value,runtime,starttime,VM_id");
  if (!table) return table.error();
  std::map<std::string, std::vector<double>> runs;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const auto value = table->number(row, 0);
    if (!value) return value.error();
    if (*value == 0) return table->error(row, "value must be > 0");
    runs[std::string(table->text(row, 3))].push_back(*value);
  }
  return runs;
}

Result<MachineType> read_machine_type(const std::string& folder, const std::string& type) {
  const auto many = read_machines(folder + "/Redis_short_westus2_" + type + ".csv");
  if (!many) return many.error();
  const auto few = read_machines(folder + "/Redis_long_westus2_" + type + ".csv");
  if (!few) return few.error();
  MachineType result;
  for (const auto& [machine, runs] : *many) result.machines.push_back(runs.front());
  result.speed = mean_of(result.machines);
  for (double& speed : result.machines) speed /= result.speed;
  std::vector<double> squares;
  for (const auto& [machine, runs] : *few) {
    const double mean = mean_of(runs);
    for (const double run : runs) squares.push_back((run / mean - 1) * (run / mean - 1));
  }
  result.noise = std::sqrt(mean_of(squares));
  return result;
}

Result<std::vector<simulation::CdfPoint>> read_cdf(const std::string& path) {
  const auto table = Table::read(path, ' ', 2);
  if (!table) return table.error();
  std::vector<simulation::CdfPoint> points;
  for (std::size_t row = 0; row < table->rows(); ++row) {
    const auto size = table->number(row, 0);
    const auto percent = table->number(row, 1);
    if (!size) return size.error();
    if (!percent) return percent.error();
    if (*percent > 100) return table->error(row, "must be at most 100 %");
    if (!points.empty() && (*size < points.back().size || *percent / 100 < points.back().probability)) {
      return table->error(row, "sizes and percentages must ascend");
    }
    points.push_back({*size, *percent / 100});
  }
  if (points.back().probability != 1) return table->error(table->rows() - 1, "must end at 100 %");
  return points;
}

/// Moves a value out of its Result, or keeps the first error.
template <class T>
void keep(T& into, Result<T> from, std::optional<Error>& error) {
  if (!from && !error) error = from.error();
  if (from) into = std::move(*from);
}

}  // namespace

std::string inputs_folder() {
  const char* folder = std::getenv("PENSTOCK_DATA");
  return folder && *folder ? folder : "../shared/data";
}

Result<std::optional<Inputs>> read_inputs(const std::string& folder) {
  if (!std::filesystem::is_directory(folder)) return std::optional<Inputs>();
  Inputs in;
  std::optional<Error> error;
  keep(in.mongodb,
       read_series(folder + "/ms-cloud-monitoring/mongodb-application-rps/mongo-01.csv", 3,
                   "TimeStamp,Value,Label"),
       error);
  keep(in.worldcup, read_series(folder + "/worldcup98/requests_per_minute_to_0609.csv", 2, "period,count"),
       error);
  keep(in.llm, read_requests(folder + "/azure-llm-requests/AzureLLMInferenceTrace_conv.csv"), error);
  in.machine_types.resize(2);
  keep(in.machine_types[0], read_machine_type(folder + "/azure-vm-noise", "B8ms"), error);
  keep(in.machine_types[1], read_machine_type(folder + "/azure-vm-noise", "D8s_v5"), error);
  keep(in.web_search, read_cdf(folder + "/flow-size-cdf/WebSearch_distribution.txt"), error);
  keep(in.hadoop, read_cdf(folder + "/flow-size-cdf/FbHdp_distribution.txt"), error);
  keep(in.rpc, read_cdf(folder + "/flow-size-cdf/GoogleRPC2008.txt"), error);
  if (error) return *error;
  const double fastest = std::max(in.machine_types[0].speed, in.machine_types[1].speed);
  for (auto& type : in.machine_types) type.speed /= fastest;
  return std::optional(std::move(in));
}

std::vector<simulation::RatePoint> rate_curve(const std::vector<double>& series, std::size_t from,
                                              std::size_t to, double duration, double mean_rate,
                                              std::size_t points) {
  const std::size_t length = to - from, count = std::min(points, length);
  std::vector<simulation::RatePoint> curve;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto first = series.begin() + static_cast<std::ptrdiff_t>(from + i * length / count);
    const auto last = series.begin() + static_cast<std::ptrdiff_t>(from + (i + 1) * length / count);
    const double mean = mean_of({first, last});
    curve.push_back({(static_cast<double>(i) + 0.5) / static_cast<double>(count) * duration, mean});
    sum += mean;
  }
  const double scale = sum > 0 ? mean_rate * static_cast<double>(count) / sum : 0;
  for (auto& point : curve) point.value *= scale;
  return curve;
}

}  // namespace penstock::kpi

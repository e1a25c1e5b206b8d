// The scenarios of scenarios.ini against the built penstock-dataplane, both ends on this host.
//
//   pktgen_bench [SCENARIO...] [--json FILE] [--quick]        PKTGEN=/path/to/pktgen to send with Pktgen-DPDK
//
//   pktgen.SCENARIO[.SIZE].rate        highest rate without loss, Mpps
//   pktgen.SCENARIO[.SIZE].lost        packets lost at that rate
//   pktgen.SCENARIO[.SIZE].misordered  packets overtaken by a later one of their flow, over all trials
//   pktgen.SCENARIO[.SIZE].moved       times that a flow changed its backend, over all trials
//   pktgen.SCENARIO.SIZE.min|mean|p99  latency at that rate, us
//   pktgen.unaccounted                 packets that the dataplane and the generator count differently

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "penstock/base/exit_code.h"
#include "perf/micro/report/figures.h"
#include "perf/pktgen/load_process.h"
#include "perf/pktgen/scenario.h"
#include "perf/process/dataplane_process.h"

namespace penstock::perf {
namespace {

using Clock = std::chrono::steady_clock;

// Every case is bounded; this ends a generator that hangs.
constexpr auto kPatience = std::chrono::hours(2);
constexpr std::size_t kBackends = 10;

int fail(const Error& error) {
  std::fprintf(stderr, "pktgen_bench: %s\n", error.text().c_str());
  return error.code == ErrorCode::kInvalidArgument || error.code == ErrorCode::kNotFound ? kExitUsage
                                                                                         : kExitUnavailable;
}

class PrivateFolder {
 public:
  PrivateFolder() : made_(mkdtemp(path_) != nullptr) {}
  ~PrivateFolder() {
    if (made_) std::filesystem::remove_all(path_);
  }
  PrivateFolder(const PrivateFolder&) = delete;
  PrivateFolder& operator=(const PrivateFolder&) = delete;
  [[nodiscard]] bool made() const { return made_; }
  [[nodiscard]] std::string path() const { return path_; }

 private:
  char path_[32] = "/tmp/penstock-pktgen-XXXXXX";
  bool made_;
};

/// Takes the names of scenarios out of the command line; what is left is bench_options_or_exit()'s.
std::vector<std::string> take_names(std::vector<char*>& arguments) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i < arguments.size();) {
    const std::string text = arguments[i];
    if (text == "--json" && i + 1 < arguments.size()) {
      i += 2;
    } else if (text.starts_with("-")) {
      ++i;
    } else {
      names.push_back(text);
      arguments.erase(arguments.begin() + static_cast<std::ptrdiff_t>(i));
    }
  }
  return names;
}

Status check_names(const std::vector<std::string>& names) {
  const auto all = read_scenarios(PENSTOCK_SOURCE_DIR "/perf/pktgen/scenarios.ini");
  if (!all) return all.error();
  if (const auto chosen = choose_scenarios(*all, names); !chosen) return chosen.error();
  return Ok{};
}

/// Empty without PKTGEN in the environment.
Result<std::string> pktgen_path() {
  const char* path = std::getenv("PKTGEN");
  if (path == nullptr || *path == '\0') return std::string();
  std::error_code error;
  const std::filesystem::path whole = std::filesystem::canonical(path, error);
  if (error || !is_regular_file(whole) || access(whole.c_str(), X_OK) != 0) {
    return invalid("PKTGEN", std::string("'") + path + "' is not a program");
  }
  return whole.string();
}

/// Waits for the generator, repeating what it says; its measurements.
Result<nlohmann::json> await_result(const LoadPlan& plan, ChildProcess& load, DataplaneProcess& dataplane) {
  const auto deadline = Clock::now() + kPatience;
  const bool repeats = plan.pktgen_path.empty();  // Pktgen's output is a drawn screen
  std::size_t shown = 0;
  const auto show = [&] {
    const std::string text = load.output();
    if (repeats) std::fputs(text.c_str() + shown, stdout);
    std::fflush(stdout);
    shown = text.size();
  };
  while (load.running()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    show();
    if (!dataplane.process().running()) {
      return unavailable("penstock-dataplane ended:\n" + dataplane.process().output());
    }
    if (Clock::now() > deadline) return unavailable("the generator did not end within two hours");
  }
  show();
  std::ifstream file(result_path(plan));
  auto result = nlohmann::json::parse(file, nullptr, false);
  if (result.is_discarded()) {
    return unavailable("the generator left no result" + (repeats ? "" : ":\n" + load.output()));
  }
  return result;
}

void add_count(Figures& figures, const std::string& name, const nlohmann::json& holder, const char* key,
               const char* unit) {
  if (holder.contains(key)) figures.add(name + "." + key, holder[key].get<double>(), unit, at_most(0));
}

void add_case(Figures& figures, const nlohmann::json& measured) {
  const std::string frames = measured["frames"];
  const std::string name =
      "pktgen." + measured["scenario"].get<std::string>() + (frames == "mix" ? "" : "." + frames);
  const auto& confirmed = measured["confirmed"];
  if (measured["measure"] == "latency") {
    if (!confirmed.contains("latency_us")) return;
    for (const char* part : {"min", "mean", "p99"}) {
      if (!confirmed["latency_us"].contains(part)) continue;
      figures.add(name + "." + part, confirmed["latency_us"][part].get<double>(), "us");
    }
  } else {
    const double pps = measured["throughput_pps"];
    // Where even the lowest rate that was tried lost packets there is no throughput: a miss, not a rate of 0.
    figures.add(name + ".rate", pps / 1e6, "Mpps", pps == 0 ? std::optional(at_least(1e-6)) : std::nullopt);
    const double bytes = confirmed["offered_bytes"].get<double>() / confirmed["offered"].get<double>();
    figures.add(name + ".bandwidth", pps * bytes * 8 / 1e9, "Gbit/s");
  }
  add_count(figures, name, confirmed, "lost", "packets");
  add_count(figures, name, measured, "misordered", "packets");
  add_count(figures, name, measured, "moved", "flows");
  add_count(figures, name, measured, "foreign", "packets");
  if (confirmed.contains("longest_pause_us")) {
    figures.add(name + ".longest_pause", confirmed["longest_pause_us"].get<double>(), "us");
  }
}

/// Both sides stand still: what the dataplane received and forwarded must be what the generator sent and got.
/// What it dropped knowingly has an outcome and is in no one's way here.
void add_accounting(Figures& figures, const nlohmann::json& result, const proto::DataplaneStats& stats) {
  const auto difference = [](double a, double b) { return a > b ? a - b : b - a; };
  const double unaccounted =
      difference(result["sent"].get<double>(), static_cast<double>(stats.received_packets())) +
      difference(result["received"].get<double>(), static_cast<double>(outcome_packets(stats, "forwarded")));
  figures.add("pktgen.unaccounted", unaccounted, "packets", at_most(0));
  for (const auto& outcome : stats.outcomes()) {
    if (outcome.outcome() == "forwarded" || outcome.packets() == 0) continue;
    figures.add("pktgen.outcome." + outcome.outcome(), static_cast<double>(outcome.packets()), "packets");
  }
}

Result<Figures> measure(const LoadPlan& plan) {
  std::vector<std::string> flags{"--lcores", "0", "--flows", "2000000"};
  for (const std::string& flag : dataplane_flags(plan)) flags.push_back(flag);
  auto dataplane = DataplaneProcess::start(flags);
  if (!dataplane) return dataplane.error();
  if (auto applied = dataplane->apply(make_config(1, 1, kBackends)); !applied) return applied.error();
  auto load = start_load(plan);
  if (!load) return load.error();
  const auto result = await_result(plan, *load, *dataplane);
  if (!result) return result.error();
  const auto stats = dataplane->stats();
  if (!stats) return stats.error();
  Figures figures("pktgen");
  for (const auto& measured : result->at("cases")) add_case(figures, measured);
  add_accounting(figures, *result, *stats);
  return figures;
}

int run(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  LoadPlan plan;
  plan.scenarios = take_names(arguments);
  const BenchOptions options = bench_options_or_exit(static_cast<int>(arguments.size()), arguments.data());
  plan.quick = options.quick;
  if (auto known = check_names(plan.scenarios); !known) return fail(known.error());
  auto pktgen = pktgen_path();
  if (!pktgen) return fail(pktgen.error());
  plan.pktgen_path = *pktgen;
  const PrivateFolder folder;
  if (!folder.made()) return fail(internal_error("cannot make a folder in /tmp"));
  plan.folder = folder.path();
  const auto figures = measure(plan);
  return figures ? figures->finish(options) : fail(figures.error());
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }

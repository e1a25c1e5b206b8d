// penstock-generator: runs scenarios out of one port and writes what it measured as JSON.
//
//   penstock-generator --port net_memif0,role=client,socket=/tmp/m.sock --lcore 1
//                      --scenarios perf/pktgen/scenarios.ini --scenario imix --result out.json

#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "penstock/process/settings.h"
#include "perf/pktgen/generator.h"

namespace penstock::perf {
namespace {

constexpr double kMaxSeconds = 600;
constexpr unsigned kMaxHalvings = 20;

struct Options {
  WireSettings wire;
  Target target;
  SearchPlan plan;
  double fixed_rate = 0;
  std::string scenarios_file;
  std::vector<std::string> names;
  std::string result_file;
};

int fail(const Error& error) {
  std::fprintf(stderr, "penstock-generator: %s\n", error.text().c_str());
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kNotFound:
      return kExitUsage;
    case ErrorCode::kUnavailable:
      return kExitUnavailable;
    case ErrorCode::kPermissionDenied:
      return kExitNoPermission;
    default:
      return kExitFailure;
  }
}

template <class Parse>
CLI::Validator checked_by(Parse parse) {
  return CLI::Validator(
      [parse](const std::string& text) {
        const auto parsed = parse(text);
        return parsed.ok() ? std::string() : parsed.error().message;
      },
      "");
}

Result<Ipv4Addr> parse_vip(const std::string& text) {
  auto address = IpAddr::parse(text);
  if (!address) return address.error();
  if (!address->is_v4()) return invalid("", "'" + text + "' is not an IPv4 address");
  return address->v4();
}

void declare(CLI::App& app, Options& options, std::string& vip, std::string& mac) {
  app.add_option("--port", options.wire.port, "A DPDK device with its arguments")->required();
  app.add_option("--lcore", options.wire.cpu, "CPU to run on")->capture_default_str();
  app.add_option("--memory-mb", options.wire.memory_mb, "Hugepage memory")
      ->check(CLI::Range(64, 1 << 20))
      ->capture_default_str();
  app.add_flag("--no-huge", options.wire.no_huge, "Use ordinary pages");
  app.add_option("--scenarios", options.scenarios_file, "The file that describes the traffic")->required();
  app.add_option("--scenario", options.names, "Which of them, in this order; all by default")
      ->allow_extra_args(false);
  app.add_option("--result", options.result_file, "Write the measurements there, as JSON");
  app.add_option("--vip", vip, "Where the traffic goes")->check(checked_by(parse_vip))->capture_default_str();
  app.add_option("--vip-port", options.target.port, "TCP port of the service")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option("--destination-mac", mac, "MAC address of the gateway")
      ->check(checked_by(MacAddr::parse))
      ->capture_default_str();
  app.add_option("--trial-seconds", options.plan.trial_seconds, "Length of a trial of the search")
      ->check(CLI::Range(0.01, kMaxSeconds))
      ->capture_default_str();
  app.add_option("--confirm-seconds", options.plan.confirm_seconds,
                 "Length of the trial that confirms a rate")
      ->check(CLI::Range(0.01, kMaxSeconds))
      ->capture_default_str();
  app.add_option("--halvings", options.plan.halvings, "Steps of the search")
      ->check(CLI::Range(1u, kMaxHalvings))
      ->capture_default_str();
  app.add_option("--rate", options.fixed_rate,
                 "One trial at this many packets per second instead of a search")
      ->check(CLI::Range(1.0, 1e9));
}

nlohmann::ordered_json to_json(const Trial& trial, double cycles_per_us) {
  const auto us = [cycles_per_us](double cycles) { return cycles / cycles_per_us; };
  const auto& latency = trial.latency;
  return {
      {"wanted_pps", trial.wanted_pps},
      {"offered_pps", trial.offered_pps()},
      {"received_pps", trial.received_pps()},
      {"seconds", trial.seconds},
      {"offered", trial.offered},
      {"offered_bytes", trial.offered_bytes},
      {"received", trial.received},
      {"lost", trial.lost()},
      {"refused", trial.refused},
      {"offered_syns", trial.offered_syns},
      {"received_syns", trial.received_syns},
      {"misordered", trial.misordered},
      {"moved", trial.moved},
      {"foreign", trial.foreign},
      {"longest_pause_us", trial.longest_pause_us},
      {"latency_us",
       {{"min", us(static_cast<double>(latency.min()))},
        {"mean", us(latency.mean())},
        {"p50", us(static_cast<double>(latency.quantile(0.5)))},
        {"p99", us(static_cast<double>(latency.quantile(0.99)))},
        {"max", us(static_cast<double>(latency.max()))}}},
  };
}

nlohmann::ordered_json to_json(const SearchResult& result, double cycles_per_us) {
  return {
      {"throughput_pps", result.throughput()},
      {"generator_limited", result.generator_limited},
      {"trials", result.trials},
      {"misordered", result.misordered},
      {"moved", result.moved},
      {"foreign", result.foreign},
      {"confirmed", to_json(result.confirmed, cycles_per_us)},
      {"flat_out", to_json(result.flat_out, cycles_per_us)},
  };
}

void print(const std::string& scenario, const std::string& frames, const SearchResult& result,
           double cycles_per_us) {
  const Trial& trial = result.confirmed;
  std::printf("%-20s %5s  %9.4f Mpps  lost %lu  misordered %lu  moved %lu  p99 %.1f us%s\n", scenario.c_str(),
              frames.c_str(), result.throughput() / 1e6, trial.lost(), result.misordered, result.moved,
              static_cast<double>(trial.latency.quantile(0.99)) / cycles_per_us,
              result.generator_limited ? "  (the generator's limit)" : "");
  std::fflush(stdout);
}

/// Runs cases; one that was measured before under another name is not measured again.
class Session {
 public:
  Session(Wire& wire, const Options& options) : wire_(wire), options_(options) {}

  Status run(const Scenario& scenario) {
    if (!scenario.each_size) return run_case(scenario, "mix", scenario.frame_bytes);
    for (const std::uint16_t size : scenario.frame_bytes) {
      if (auto done = run_case(scenario, std::to_string(size), {size}); !done) return done;
    }
    return Ok{};
  }

  [[nodiscard]] nlohmann::ordered_json report() const {
    return {{"sent", wire_.totals().sent}, {"received", wire_.totals().received}, {"cases", cases_}};
  }

 private:
  Status run_case(const Scenario& scenario, const std::string& frames,
                  const std::vector<std::uint16_t>& sizes) {
    const Key key{scenario.flows, scenario.syn_percent, sizes};
    auto known = measured_.find(key);
    if (known == measured_.end()) {
      Generator generator(wire_, scenario, sizes, options_.target);
      if (auto opened = generator.establish(); !opened) return opened.error();
      known = measured_.emplace(key, measure(generator)).first;
    }
    const double cycles_per_us = wire_.cycles_per_second() / 1e6;
    print(scenario.name, frames, known->second, cycles_per_us);
    auto json = to_json(known->second, cycles_per_us);
    json["scenario"] = scenario.name;
    json["frames"] = frames;
    json["measure"] = scenario.measure == Measure::kRate ? "rate" : "latency";
    cases_.push_back(std::move(json));
    return Ok{};
  }

  SearchResult measure(Generator& generator) const {
    if (options_.fixed_rate == 0) {
      return find_throughput(options_.plan, [&](double pps, double s) { return generator.trial(pps, s); });
    }
    SearchResult result;
    result.confirmed = generator.trial(options_.fixed_rate, options_.plan.trial_seconds);
    result.trials = 1;
    result.misordered = result.confirmed.misordered;
    result.moved = result.confirmed.moved;
    result.foreign = result.confirmed.foreign;
    return result;
  }

  using Key = std::tuple<std::uint32_t, std::uint32_t, std::vector<std::uint16_t>>;
  Wire& wire_;
  const Options& options_;
  std::map<Key, SearchResult> measured_;
  nlohmann::ordered_json cases_ = nlohmann::ordered_json::array();
};

int run(int argc, char** argv) {
  CLI::App app("Sends traffic to a VIP through one port and measures what comes back encapsulated.",
               "penstock-generator");
  Settings settings(app);
  Options options;
  std::string vip = "203.0.113.10";
  std::string mac = "02:00:00:00:00:02";
  declare(app, options, vip, mac);
  if (const auto code = settings.parse(argc, argv)) return *code;
  options.target.vip = parse_vip(vip).value();
  options.target.mac = MacAddr::parse(mac).value();
  const auto all = read_scenarios(options.scenarios_file);
  if (!all) return fail(all.error());
  const auto scenarios = choose_scenarios(*all, options.names);
  if (!scenarios) return fail(scenarios.error());
  const auto wire = Wire::open(options.wire);
  if (!wire) return fail(wire.error());
  Session session(**wire, options);
  for (const Scenario& scenario : *scenarios) {
    if (auto done = session.run(scenario); !done) return fail(done.error());
  }
  if (options.result_file.empty()) return kExitOk;
  std::ofstream file(options.result_file, std::ios::trunc);
  file << session.report().dump(2) << '\n';
  file.close();
  return file ? kExitOk : fail(internal_error("cannot write " + options.result_file));
}

}  // namespace
}  // namespace penstock::perf

int main(int argc, char** argv) { return penstock::perf::run(argc, argv); }

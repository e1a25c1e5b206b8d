#include "bpf/agent/sensors/power.h"

#include <algorithm>
#include <filesystem>

#include "bpf/agent/sensors/parse.h"

namespace penstock {
namespace {

constexpr std::string_view kPrefix = "intel-rapl:";  // AMD's are called so too

/// "intel-rapl:0" is a package, "intel-rapl:0:2" a part of one.
bool counts(const std::string& zone, std::string_view name) {
  const bool part = std::count(zone.begin(), zone.end(), ':') > 1;
  return part ? name == "dram" : name != "psys";
}

}  // namespace

std::optional<std::uint64_t> energy_grown(std::uint64_t before, std::uint64_t after, std::uint64_t range) {
  if (after >= before) return after - before;
  if (range == 0 || before > range) return std::nullopt;
  return range - before + after;
}

std::unique_ptr<Sensor> PowerSensor::find(const SensorRoots& roots) {
  std::vector<Zone> zones;
  std::error_code error;
  const std::filesystem::path folder = roots.sys + "/class/powercap";
  for (auto entry = std::filesystem::directory_iterator(folder, error); !error && entry != end(entry);
       entry.increment(error)) {
    const std::string zone = entry->path().filename();
    if (!zone.starts_with(kPrefix)) continue;
    const auto name = read_text(entry->path() / "name");
    std::string_view text = name ? std::string_view(*name) : std::string_view();
    if (text.empty() || !counts(zone, take_word(text))) continue;
    const auto range = read_text(entry->path() / "max_energy_range_uj");
    const auto energy = read_text(entry->path() / "energy_uj");
    if (!range || !energy || !only_number<std::uint64_t>(*energy)) continue;
    zones.push_back(
        {TextFile(entry->path() / "energy_uj"), only_number<std::uint64_t>(*range).value_or(0), 0});
  }
  if (zones.empty()) return nullptr;
  return std::unique_ptr<Sensor>(new PowerSensor(std::move(zones)));
}

Status PowerSensor::read(Nanoseconds now, HostLoad& load) {
  load.power_watts.reset();
  const Nanoseconds before = std::exchange(before_, Nanoseconds());
  std::uint64_t joules_e6 = 0;
  bool whole = before != Nanoseconds() && now > before;
  for (Zone& zone : zones_) {
    auto text = zone.energy.read();
    if (!text) return text.error();
    const auto energy = only_number<std::uint64_t>(*text);
    if (!energy) return unavailable(zone.energy.path() + " is not a number");
    const auto grown = energy_grown(zone.before_uj, *energy, zone.range_uj);
    zone.before_uj = *energy;
    whole = whole && grown;
    if (grown) joules_e6 += *grown;
  }
  before_ = now;
  if (!whole) return Ok{};
  const double watts = static_cast<double>(joules_e6) * 1e3 / static_cast<double>((now - before).count());
  load.power_watts = Measured{watts, now};
  return Ok{};
}

}  // namespace penstock

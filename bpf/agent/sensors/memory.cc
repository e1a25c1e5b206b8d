#include "bpf/agent/sensors/memory.h"

#include <algorithm>
#include <cstdint>

#include "bpf/agent/sensors/parse.h"

namespace penstock {

Result<double> parse_meminfo(std::string_view text) {
  const auto kilobytes = [text](std::string_view key) -> std::optional<std::uint64_t> {
    auto line = line_after(text, key);
    return line ? number<std::uint64_t>(take_word(*line)) : std::nullopt;
  };
  const auto total = kilobytes("MemTotal:");
  const auto available = kilobytes("MemAvailable:");
  if (!total || *total == 0 || !available) return unavailable("no MemTotal or MemAvailable in /proc/meminfo");
  const auto free = static_cast<double>(std::min(*available, *total));
  return 1 - free / static_cast<double>(*total);
}

Status MemorySensor::read(Nanoseconds now, HostLoad& load) {
  load.mem_utilization.reset();
  auto text = file_.read();
  if (!text) return text.error();
  auto used = parse_meminfo(*text);
  if (!used) return used.error();
  load.mem_utilization = Measured{*used, now};
  return Ok{};
}

}  // namespace penstock

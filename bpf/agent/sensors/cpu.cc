#include "bpf/agent/sensors/cpu.h"

#include <algorithm>

#include "bpf/agent/sensors/parse.h"

namespace penstock {
namespace {

constexpr int kIdle = 3, kIoWait = 4, kColumns = 8;  // user nice system idle iowait irq softirq steal

bool is_one_cpu(std::string_view line) {
  return line.substr(0, 3) == "cpu" && line.size() > 3 && line[3] >= '0' && line[3] <= '9';
}

}  // namespace

Result<CpuTimes> parse_stat(std::string_view text) {
  CpuTimes out;
  auto all = line_after(text, "cpu ");
  if (!all) return unavailable("no 'cpu' line in /proc/stat");
  for (int column = 0; column < kColumns; ++column) {
    const auto ticks = number<std::uint64_t>(take_word(*all));
    // Old kernels have fewer columns, and a guest's time is in the first two already.
    if (!ticks && column > kIdle) break;
    if (!ticks) return unavailable("a 'cpu' line in /proc/stat that is not understood");
    out.total += *ticks;
    if (column == kIdle || column == kIoWait) out.idle += *ticks;
  }
  std::string_view rest = text;
  while (!rest.empty()) out.cpus += is_one_cpu(take_until(rest, '\n'));
  const auto running = line_after(text, "procs_running ");
  const auto runnable = running ? number<std::uint32_t>(*running) : std::nullopt;
  if (out.cpus == 0 || !runnable) return unavailable("no CPUs or no 'procs_running' in /proc/stat");
  out.runnable = *runnable;
  return out;
}

Status CpuSensor::read(Nanoseconds now, HostLoad& load) {
  load.cpu_utilization.reset();
  load.run_queue.reset();
  auto text = file_.read();
  if (!text) return text.error();
  auto times = parse_stat(*text);
  if (!times) return times.error();
  // One that runs is this thread, which reads.
  const std::uint32_t others = times->runnable - std::min(times->runnable, 1u);
  load.run_queue = Measured{static_cast<double>(others) / times->cpus, now};
  // Idle time goes back by a tick where the kernel corrects it.
  seen_.total = std::max(seen_.total, times->total);
  seen_.idle = std::max(seen_.idle, times->idle);
  if (const auto step = growth_.add({seen_.total, seen_.idle}, now)) {
    if (const auto idle = share_of(step->counters[1], step->counters[0]))
      load.cpu_utilization = Measured{std::clamp(1 - *idle, 0.0, 1.0), now};
  }
  return Ok{};
}

}  // namespace penstock

#include "bpf/agent/sensors/pressure.h"

#include <algorithm>

#include "bpf/agent/sensors/parse.h"

namespace penstock {

Result<std::uint64_t> parse_pressure(std::string_view text) {
  const auto some = line_after(text, "some ");
  const auto at = some ? some->find("total=") : std::string_view::npos;
  const auto total =
      at == std::string_view::npos ? std::nullopt : number<std::uint64_t>(some->substr(at + 6));
  if (!total) return unavailable("no 'some ... total=' in a file of /proc/pressure");
  return *total;
}

Status PressureSensor::read(Nanoseconds now, HostLoad& load) {
  Measurement& out = load.*field_;
  out.reset();
  auto text = file_.read();
  if (!text) return text.error();
  auto total = parse_pressure(*text);
  if (!total) return total.error();
  if (const auto step = growth_.add({*total}, now)) {
    const auto share = share_of(step->counters[0] * 1000, step->elapsed.count());
    // The kernel sums up what its CPUs measured at different moments.
    if (share) out = Measured{std::min(*share, 1.0), now};
  }
  return Ok{};
}

}  // namespace penstock

#include "dataplane/probe/hot_rule.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr double kCool = 0.8;  // of a threshold
constexpr double kLateFactor = 2;
constexpr double kLevel = 3;  // from one level of late to the next
// Less than that is what a scheduler or a lost segment makes of any quick service.
constexpr double kLeastLateUs = 20'000;
constexpr double kStalledUs = 50'000;

bool has(std::uint16_t value) noexcept { return value != PENSTOCK_PROBE_NO_VALUE; }

/// 0: there is none yet.
double late_after_us(const HotRuleDocument& rule, const ServiceHistory& history) noexcept {
  if (rule.response_ms != 0) return rule.response_ms * 1000.0;
  if (history.good_response_us() <= 0) return 0;
  return std::max(kLeastLateUs, kLateFactor * history.good_response_us());
}

}  // namespace

HeatMeasure measure(const probe_service_load* load, bool load_is_fresh,
                    const probe_host_load* host) noexcept {
  HeatMeasure m;
  if (load != nullptr && has(load->accept_queue) && has(load->accept_limit)) {
    m.queue = load->accept_queue;
    m.queue_limit = load->accept_limit;
  }
  const probe_service_load* const fresh = load_is_fresh ? load : nullptr;
  if (fresh != nullptr && has(fresh->response_p99))
    m.response_us = std::max<std::uint64_t>(1, PENSTOCK_PROBE_TIME_US(fresh->response_p99));
  if (fresh != nullptr && has(fresh->stalled)) m.stalled_us = PENSTOCK_PROBE_TIME_US(fresh->stalled);
  if (fresh != nullptr && has(fresh->application_utilization)) {
    m.utilization = fresh->application_utilization;
  } else if (host != nullptr && has(host->application_utilization)) {
    m.utilization = host->application_utilization;
  } else if (fresh != nullptr && has(fresh->cpu)) {
    m.utilization = fresh->cpu;
  } else if (host != nullptr && has(host->cpu_utilization)) {
    m.utilization = host->cpu_utilization;
  }
  return m;
}

std::uint16_t Heat::late() const noexcept {
  std::uint16_t level = 0;
  for (std::uint16_t n = 0; n < late_.size(); ++n) {
    if (late_[n].on) level = static_cast<std::uint16_t>(n + 1);
  }
  return level;
}

void Heat::hear(const HeatMeasure& m, const HotRuleDocument& rule, const ServiceHistory& history) noexcept {
  if (rule.off) return cool();
  unheard_ = m.response_us != 0 ? std::uint16_t{0} : std::min<std::uint16_t>(unheard_ + 1, kUnheardAnswers);
  const bool heard = m.response_us != 0 || unheard_ == kUnheardAnswers;
  const auto response = static_cast<double>(m.response_us);
  const auto stalled = static_cast<double>(m.stalled_us);
  const double queue = m.queue_limit == 0 ? 0 : 100.0 * m.queue / m.queue_limit;
  double late_us = late_after_us(rule, history);
  double stalled_us = kStalledUs;
  double queue_percent = rule.queue_percent;
  for (Bit& level : late_) {
    const bool slow = late_us > 0 && response > late_us;
    const bool quick = late_us <= 0 || (heard && response < kCool * late_us);
    level.hear(slow || queue >= queue_percent || stalled > stalled_us,
               quick && queue < kCool * queue_percent && stalled < kCool * stalled_us);
    late_us *= kLevel;
    stalled_us *= kLevel;
    queue_percent = std::max(queue_percent, 100.0);  // a full queue is as bad as it gets
  }
  const double most = rule.utilization_percent * 100.0;
  busy_.hear(m.utilization > most, m.utilization < kCool * most);
}

}  // namespace penstock

#include "bpf/agent/checks/check_report.h"

#include "penstock/abi/probe.h"
#include "penstock/proto/node.pb.h"

namespace penstock {
namespace {

/// Zero for what has not happened.
std::uint64_t age_ms(Nanoseconds then, Nanoseconds now) {
  if (then == Nanoseconds() || then > now) return 0;
  return (now - then).count() / 1'000'000;
}

proto::CheckStatus::State state_of(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::kPassing:
      return proto::CheckStatus::PASSING;
    case CheckVerdict::kFailing:
      return proto::CheckStatus::FAILING;
    case CheckVerdict::kUnchecked:
      break;
  }
  return proto::CheckStatus::UNCHECKED;
}

}  // namespace

void fill(const CheckResult& result, Nanoseconds now, proto::CheckStatus& out) {
  out.set_name(result.name);
  out.set_state(state_of(result.verdict));
  out.set_detail(result.detail);
  out.set_since_ms(age_ms(result.since, now));
  out.set_ended_ms(age_ms(result.ended, now));
  out.set_duration_us(static_cast<std::uint32_t>(result.duration.count() / 1000));
  out.set_runs(result.runs);
  out.set_failures(result.failures);
  out.set_damped(result.damped);
}

std::uint8_t probe_check_value(CheckVerdict verdict) {
  switch (verdict) {
    case CheckVerdict::kPassing:
      return PENSTOCK_PROBE_PASSING;
    case CheckVerdict::kFailing:
      return PENSTOCK_PROBE_FAILING;
    case CheckVerdict::kUnchecked:
      break;
  }
  return PENSTOCK_PROBE_UNCHECKED;
}

}  // namespace penstock

// Results of checks as the control plane is told.
#pragma once

#include "bpf/agent/checks/check_runner.h"

namespace penstock {
namespace proto {
class CheckStatus;
}

/// Ages are relative to `now` (CLOCK_MONOTONIC).
void fill(const CheckResult& result, Nanoseconds now, proto::CheckStatus& out);

/// PENSTOCK_PROBE_UNCHECKED, _PASSING or _FAILING of penstock/abi/probe.h.
std::uint8_t probe_check_value(CheckVerdict verdict);

}  // namespace penstock

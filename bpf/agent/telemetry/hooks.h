// The tracepoints and functions of the kernel that bpf/telemetry.bpf.c looks at, and which of them this
// kernel has. Any thread.
#pragma once

#include <set>
#include <span>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

enum class HookKind { kTracepoint, kFunction, kIterator };

struct TelemetryHook {
  const char* role;     // hooks of one role are alternatives, the best one first
  const char* program;  // in bpf/telemetry.bpf.c
  const char* target;
  HookKind kind;        // a function's program is called from its entry
  const char* missing;  // what is not measured without this role
};

[[nodiscard]] std::span<const TelemetryHook> telemetry_hooks();

/// The programs whose target the kernel's BTF knows. Unavailable when there is no BTF.
Result<std::set<std::string>> present_hooks();

}  // namespace penstock

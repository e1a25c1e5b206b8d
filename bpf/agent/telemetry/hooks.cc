#include "bpf/agent/telemetry/hooks.h"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace penstock {
namespace {

constexpr const char* kRequests = "requests and response times are not measured";
constexpr TelemetryHook kHooks[] = {
    {"state", "set_state", "inet_sock_set_state", HookKind::kTracepoint,
     "connections and handshake times are not counted"},
    {"destroy", "destroy", "tcp_destroy_sock", HookKind::kTracepoint,
     "closes that were missed are not made good"},
    {"arrival", "data_ready", "sk_data_ready", HookKind::kTracepoint, kRequests},
    {"arrival", "segment", "tcp_probe", HookKind::kTracepoint, kRequests},
    {"send", "send", "tcp_sendmsg_locked", HookKind::kTracepoint, kRequests},
    {"send", "send_function", "tcp_sendmsg_locked", HookKind::kFunction, kRequests},
    {"retransmit", "retransmit", "tcp_retransmit_skb", HookKind::kTracepoint, "retransmits are not counted"},
    {"send_reset", "send_reset", "tcp_send_reset", HookKind::kTracepoint, "resets sent are not counted"},
    {"scan", "scan", "bpf_sk_storage_map", HookKind::kIterator, "waiting requests and stalls are not seen"},
    {"receive_reset", "receive_reset", "tcp_receive_reset", HookKind::kTracepoint,
     "resets received are not counted"},
};

bool is_present(const btf* kernel, const TelemetryHook& hook) {
  const std::string target = hook.target;
  switch (hook.kind) {
    case HookKind::kTracepoint:
      return btf__find_by_name_kind(kernel, ("btf_trace_" + target).c_str(), BTF_KIND_TYPEDEF) >= 0;
    case HookKind::kFunction:
      return btf__find_by_name_kind(kernel, hook.target, BTF_KIND_FUNC) >= 0;
    case HookKind::kIterator:
      return btf__find_by_name_kind(kernel, ("bpf_iter_" + target).c_str(), BTF_KIND_FUNC) >= 0;
  }
  return false;
}

}  // namespace

std::span<const TelemetryHook> telemetry_hooks() { return kHooks; }

Result<std::set<std::string>> present_hooks() {
  const std::unique_ptr<btf, decltype(&btf__free)> kernel(btf__load_vmlinux_btf(), btf__free);
  if (kernel == nullptr) {
    return unavailable(std::string("connections are not measured, because the kernel has no BTF: ") +
                       std::strerror(errno));
  }
  std::set<std::string> present;
  for (const TelemetryHook& hook : kHooks) {
    if (is_present(kernel.get(), hook)) present.insert(hook.program);
  }
  return present;
}

}  // namespace penstock

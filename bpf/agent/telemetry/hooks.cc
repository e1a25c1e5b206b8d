#include "bpf/agent/telemetry/hooks.h"

#include <bpf/btf.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace penstock {
namespace {

constexpr const char* kRequests = "requests, response times and unread work are not measured";
constexpr TelemetryHook kHooks[] = {
    {"state", "set_state", "inet_sock_set_state", true, "connections and handshake times are not counted"},
    {"destroy", "destroy", "tcp_destroy_sock", true, "closes that were missed are not made good"},
    {"arrival", "data_ready", "sk_data_ready", true, kRequests},
    {"arrival", "segment", "tcp_probe", true, kRequests},
    {"read", "read", "tcp_rcv_space_adjust", true, "unread requests are no waiting work"},
    {"send", "send", "tcp_sendmsg_locked", true, "requests and response times are not measured"},
    {"send", "send_function", "tcp_sendmsg_locked", false, "requests and response times are not measured"},
    {"retransmit", "retransmit", "tcp_retransmit_skb", true, "retransmits are not counted"},
    {"send_reset", "send_reset", "tcp_send_reset", true, "resets sent are not counted"},
    {"receive_reset", "receive_reset", "tcp_receive_reset", true, "resets received are not counted"},
};

bool is_present(const btf* kernel, const TelemetryHook& hook) {
  if (!hook.is_tracepoint) return btf__find_by_name_kind(kernel, hook.target, BTF_KIND_FUNC) >= 0;
  const std::string name = std::string("btf_trace_") + hook.target;
  return btf__find_by_name_kind(kernel, name.c_str(), BTF_KIND_TYPEDEF) >= 0;
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

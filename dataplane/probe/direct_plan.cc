#include "dataplane/probe/direct_plan.h"

#include <cstddef>
#include <utility>

namespace penstock {
namespace {

/// The PROXY protocol's "LOCAL": a connection of the proxy's own, about no client (version 2, section 2.2).
constexpr char kProxyLocal[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";

std::string host_of(const ServiceDocument& service, const DirectCheckDocument& check) {
  if (!check.host.empty()) return check.host;
  return service.key.vip.is_v6() ? "[" + service.key.vip.text() + "]" : service.key.vip.text();
}

std::string request_of(const ServiceDocument& service, const DirectCheckDocument& check) {
  switch (check.kind) {
    case DirectCheckKind::kTcpConnect:
      return {};
    case DirectCheckKind::kUdpExchange:
      return check.send;
    case DirectCheckKind::kHttp:
      break;
  }
  std::string text;
  if (service.forwarding.proxy_protocol) text.assign(kProxyLocal, sizeof kProxyLocal - 1);
  text += (check.method.empty() ? "GET" : check.method) + " " + (check.path.empty() ? "/" : check.path);
  text += " HTTP/1.1\r\nHost: " + host_of(service, check);
  return text + "\r\nUser-Agent: penstock\r\nConnection: close\r\n\r\n";
}

std::uint16_t port_of(const ServiceDocument& service, const BackendDocument& backend,
                      const DirectCheckDocument& check) {
  if (check.port != 0) return check.port;
  if (service.encap == Encap::kNat && backend.port != 0) return backend.port;
  return service.key.is_one_port() ? service.key.port : 0;
}

void add_targets(const CompiledService& compiled, const DirectService& checked, DirectPlan& plan) {
  const auto position = static_cast<std::uint32_t>(plan.services.size());
  const auto& backends = compiled.document.backends;
  for (std::size_t i = 0; i < backends.size(); ++i) {
    const std::uint16_t port = port_of(checked.service, backends[i], checked.check);
    if (backends[i].maintenance || port == 0) continue;
    const bool nat = checked.service.encap == Encap::kNat;
    plan.targets.push_back({compiled.backends[i], position, backends[i],
                            nat ? backends[i].address : checked.service.key.vip, port});
  }
}

}  // namespace

DirectPlan make_direct_plan(const Document& document, const Snapshot& snapshot) {
  DirectPlan plan;
  for (const auto& compiled : snapshot.services()) {
    const ServiceDocument& service = compiled->document;
    const HealthDocument& health = service.health;
    if (health.direct == DirectChecks::kOff || !health.direct_check) continue;
    DirectService checked;
    checked.service.id = service.id;
    checked.service.key = service.key;
    checked.service.encap = service.encap;
    checked.service.forwarding = service.forwarding;
    checked.check = *health.direct_check;
    checked.request = request_of(service, checked.check);
    checked.always = health.direct == DirectChecks::kAlways;
    checked.probed = (service.encap == Encap::kGue || service.encap == Encap::kIpip) &&
                     service.key.is_one_port() && !service.key.is_prefix();
    if (checked.request.size() > kMaxDirectRequest) continue;
    add_targets(*compiled, checked, plan);
    plan.services.push_back(std::move(checked));
  }
  return plan;
}

}  // namespace penstock

#include "controlplane/model/service_rules.h"

#include <map>
#include <vector>

#include "controlplane/model/service_names.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

bool is_prime(std::uint32_t n) {
  if (n < 2) return false;
  for (std::uint64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
}

void check_drain(const Backend& backend, const std::string& at, Problems& problems) {
  if (!backend.drain && backend.drain_deadline != 0) {
    problems.push_back({at + ".drain_deadline", "needs drain"});
  }
  if (backend.drain_policy == DrainPolicy::kReset && backend.drain_deadline == 0) {
    problems.push_back({at + ".drain_policy", "reset needs a drain_deadline"});
  }
}

/// What one backend's optional fields must be, given its service. `at` is the backend's path.
void check_backend_options(const Service& service, const Backend& backend, const std::string& at,
                           Problems& problems) {
  if (backend.port != 0 && service.encap != Encap::kNat) {
    problems.push_back({at + ".port", "needs encap nat: other packets keep the VIP's port"});
  }
  const bool has_mac = backend.mac != MacAddr{};
  if (has_mac != (service.encap == Encap::kVxlan)) {
    problems.push_back({at + ".mac", has_mac ? "needs encap vxlan" : "missing: encap vxlan needs it"});
  }
  if (service.encap == Encap::kL2dsr && backend.address.is_v6() != service.key.vip.is_v6()) {
    problems.push_back({at + ".address", "must be of the VIP's family with encap l2dsr"});
  }
  check_drain(backend, at, problems);
  const std::size_t length = backend.quic_server_id.size();
  if (service.quic.empty() && length != 0) {
    problems.push_back({at + ".quic_server_id", "needs the service's quic"});
  }
  if (service.quic.empty() || length == service.quic.front().server_id_length) return;
  problems.push_back({at + ".quic_server_id",
                      length == 0 ? "missing: quic needs it"
                                  : "must be " + std::to_string(service.quic.front().server_id_length) +
                                        " octets, the service's server_id_length"});
}

}  // namespace

void check_options(const Service& service, const std::string& path, Problems& problems) {
  const auto need = [&](bool holds, const char* key, const char* detail) {
    if (!holds) problems.push_back({field_path(path, key), detail});
  };
  const std::uint8_t protocol = service.key.protocol;
  const Encap encap = service.encap;
  const Forwarding& forwarding = service.forwarding;
  need(protocol != kAnyProtocol || service.key.port == 0, "port", "must be \"*\" with protocol any");
  need(!service.one_shot || protocol == kProtoUdp, "one_shot", "needs protocol udp");
  need(!service.one_shot || encap != Encap::kNat, "one_shot",
       "nat has to remember each flow for its answers");
  need(!service.one_shot || service.quic.empty(), "one_shot", "a QUIC connection is more than one datagram");
  need(service.second_chance == SecondChance::kTcp || encap == Encap::kGue, "second_chance",
       "needs encap gue: other packets cannot carry hops");
  const bool udp_chance = service.second_chance == SecondChance::kTcpAndUdp;
  need(!udp_chance || protocol == kProtoUdp, "second_chance", "tcp+udp needs protocol udp");
  need(!udp_chance || !service.one_shot, "second_chance", "datagrams of one_shot belong to no flow");
  need(service.quic.empty() || protocol == kProtoUdp, "quic", "needs protocol udp");
  need(service.quic.empty() || encap != Encap::kNat, "quic", "nat knows a flow by its addresses only");
  for (const QuicConfig& config : service.quic) {
    need(config.server_id_length == service.quic.front().server_id_length, "quic.configs",
         "must have one server_id_length: a backend has one server ID");
  }
  need(encap != Encap::kNat || protocol == kProtoTcp || protocol == kProtoUdp, "encap",
       "nat needs protocol tcp or udp");
  need(!forwarding.udp_checksum || encap == Encap::kGue || encap == Encap::kVxlan, "forwarding.udp_checksum",
       "needs encap gue or vxlan");
  need(!forwarding.gre_key || encap == Encap::kGre, "forwarding.gre_key", "needs encap gre");
  need(encap == Encap::kVxlan || forwarding.vxlan_vni == 0, "forwarding.vxlan_vni", "needs encap vxlan");
  need(encap != Encap::kVxlan || forwarding.vxlan_vni != 0, "forwarding.vxlan_vni",
       "missing: encap vxlan needs it");
  need(forwarding.too_big == TooBig::kReply || (encap != Encap::kL2dsr && encap != Encap::kNat),
       "forwarding.too_big", "needs an encapsulation: l2dsr and nat add nothing to a packet");
  need(!forwarding.proxy_protocol || (encap == Encap::kNat && protocol == kProtoTcp),
       "forwarding.proxy_protocol", "needs encap nat and protocol tcp");
}

void check_backends(const Service& service, const std::string& path, Problems& problems) {
  const std::string list = field_path(path, "backends");
  const std::size_t count = service.backends.size();
  if (count == 0) problems.push_back({list, "must not be empty"});
  if (count > kMaxBackendsPerService) {
    problems.push_back({list, "must be at most " + std::to_string(kMaxBackendsPerService) + " backends"});
  }
  if (service.table_size != 0 && (!is_prime(service.table_size) || service.table_size < count)) {
    problems.push_back(
        {field_path(path, "table_size"),
         "must be 0 or a prime of at least the number of backends (" + std::to_string(count) + ")"});
  }
  std::map<std::string, std::size_t> ids;
  std::map<IpAddr, std::size_t> addresses;
  std::map<std::vector<std::uint8_t>, std::size_t> server_ids;
  for (std::size_t i = 0; i < count; ++i) {
    const Backend& backend = service.backends[i];
    const std::string at = list + "[" + std::to_string(i) + "]";
    const auto twice = [&](const char* field, const std::string& what, std::size_t first) {
      problems.push_back({at + field, what + " of " + list + "[" + std::to_string(first) + "]"});
    };
    if (const auto [first, fresh] = ids.emplace(backend.id, i); !fresh) {
      twice(".id", "'" + backend.id + "' is also the id", first->second);
    }
    if (const auto [first, fresh] = addresses.emplace(backend.address, i); !fresh) {
      twice(".address", backend.address.text() + " is also the address", first->second);
    }
    if (covers(service.key, backend.address)) {
      problems.push_back({at + ".address", backend.address.text() + (service.key.is_prefix()
                                                                         ? " is within the service's own VIP"
                                                                         : " is the service's own VIP")});
    }
    check_backend_options(service, backend, at, problems);
    if (backend.quic_server_id.empty()) continue;
    if (const auto [first, fresh] = server_ids.emplace(backend.quic_server_id, i); !fresh) {
      twice(".quic_server_id", "is also the ID", first->second);
    }
  }
}

}  // namespace penstock

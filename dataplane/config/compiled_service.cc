#include "dataplane/config/compiled_service.h"

#include <algorithm>

#include "dataplane/hash/flow_hash.h"
#include "dataplane/quic/quic_router.h"

namespace penstock {

namespace {

constexpr char kSeparator = '\n';  // occurs in no id and no address

std::uint64_t identity(const std::string& id) { return XXH3_64bits(id.data(), id.size()); }

// Every backend starts out equal in the base table, so a change of weights never rebuilds it.
std::vector<MaglevBackend> maglev_backends(const ServiceDocument& service) {
  std::vector<MaglevBackend> out;
  out.reserve(service.backends.size());
  for (const BackendDocument& b : service.backends) out.push_back({identity(b.id), 1, b.effective_weight()});
  return out;
}

bool same_owners(const ServiceDocument& a, const ServiceDocument& b) {
  return a.table_size == b.table_size &&
         std::ranges::equal(a.backends, b.backends, [](const BackendDocument& x, const BackendDocument& y) {
           return x.id == y.id && x.effective_weight() == y.effective_weight();
         });
}

}  // namespace

std::string backend_name(const ServiceDocument& service, const BackendDocument& backend) {
  return service.id + kSeparator + backend.id + kSeparator + backend.address.text();
}

Status build_tables(CompiledService& service, const CompiledService* before, TablePool& pool) {
  const std::vector<MaglevBackend> backends = maglev_backends(service.document);
  if (before != nullptr && before->base->size() == service.document.table_size &&
      before->base->fits(backends)) {
    service.base = before->base;
    if (same_owners(before->document, service.document)) {
      service.table = before->table;
      return Ok{};
    }
  } else {
    auto base = pool.base(backends, service.document.table_size);
    if (!base) return base.error();
    service.base = *base;
  }
  if (std::ranges::all_of(backends, [](const MaglevBackend& b) { return b.weight == 0; })) return Ok{};
  auto table = pool.table(*service.base, backends);
  if (!table) return table.error();
  service.table = *table;
  return Ok{};
}

SlotOwners slot_owners(const CompiledService& service) {
  return {service.table != nullptr ? service.table->owners() : std::span<const std::uint16_t>(),
          service.backends};
}

Status build_hops(CompiledService& service, const CompiledService* before) {
  if (!service.document.has_hops()) return Ok{};
  auto order = service.base->index_by_rank(maglev_backends(service.document));
  if (!order) return order.error();
  HopSource& hops = service.hops;
  hops.base_owners = service.base->owners();
  hops.by_rank.reserve(order->size());
  for (const std::uint16_t place : *order) hops.by_rank.push_back(service.backends[place]);
  if (before == nullptr) return Ok{};
  const std::uint32_t size = service.base->size();
  if (before->base->size() != size) {
    hops.history = resized(before->hops.history.get(), slot_owners(*before), before->base->size(),
                           slot_owners(service), size);
  } else if (before->hops.history != nullptr) {
    hops.history = before->hops.history;
  } else if (before->table != service.table || before->backends != service.backends) {
    hops.history = std::make_shared<SlotHistory>(size);
  }
  return Ok{};
}

SpecialService make_special(const ServiceDocument& service) {
  SpecialService special;
  special.by_addresses = service.key.protocol == kProtoSctp || service.key.protocol == kAnyProtocol;
  special.one_shot = service.one_shot;
  special.nat = service.encap == Encap::kNat;
  special.seeks_udp = service.has_hops() && service.key.protocol == kProtoUdp;
  special.proxy_protocol = service.forwarding.proxy_protocol;
  for (const BackendDocument& backend : service.backends) {
    if (special.nat)
      special.nat_targets.push_back(
          {backend.address, backend.port, identity(backend_name(service, backend))});
  }
  special.affinity_v4 = service.affinity.ipv4_prefix;
  special.affinity_v6 = service.affinity.ipv6_prefix;
  return special;
}

Status build_quic_router(CompiledService& service) {
  const ServiceDocument& document = service.document;
  if (document.quic.empty()) return Ok{};
  std::vector<QuicConfig> configs;
  for (const QuicLbDocument& c : document.quic) {
    configs.push_back({c.rotation, c.server_id_length, c.nonce_length, c.key});
  }
  std::vector<QuicServer> servers;
  for (std::size_t i = 0; i < service.backends.size(); ++i) {
    if (document.backends[i].drain_over) continue;
    const std::string& id = document.backends[i].quic_server_id;
    servers.push_back({{reinterpret_cast<const std::uint8_t*>(id.data()), id.size()}, service.backends[i]});
  }
  auto router = QuicRouter::build(configs, servers);
  if (!router) return router.error();
  service.special.quic = std::make_shared<const QuicRouter>(std::move(*router));
  return Ok{};
}

ServiceRecord make_service_record(const CompiledService& service) {
  ServiceRecord record;
  const IdleTimeoutSeconds& idle = service.document.idle;
  record.idle = IdleTicks::from_seconds(idle.tcp_syn, idle.tcp_established, idle.tcp_closing, idle.udp);
  record.backends = service.backends.data();
  record.special = &service.special;
  record.by_source = service.special.affinity_of(service.document.key.vip.is_v6()) != 0;
  record.gentle = service.document.weights_follow_load;
  if (service.table != nullptr) {
    record.owners = service.table->owners().data();
    record.table = service.table.get();
  }
  if (service.document.has_hops()) record.hops = &service.hops;
  record.table_size = service.base->size();
  return record;
}

}  // namespace penstock

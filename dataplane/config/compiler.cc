#include "dataplane/config/compiler.h"

#include <algorithm>

#include "dataplane/config/compiled_service.h"

namespace penstock {

namespace {

std::uint32_t longest_idle(const IdleTimeoutSeconds& idle) {
  return std::max({idle.tcp_syn, idle.tcp_established, idle.tcp_closing, idle.udp});
}

// An entry outlives its timeout by up to a fifteenth and four ticks (flow_clock.h).
Nanoseconds quarantine(std::uint32_t idle_seconds) {
  return Nanoseconds::from_seconds(idle_seconds + idle_seconds / 15 + 2);
}

}  // namespace

Compiler::Compiler(std::vector<IpAddr> nat_addresses, std::span<const NamedIndex> inherited, Nanoseconds now)
    : nat_addresses_(std::move(nat_addresses)),
      classifier_(
          std::make_shared<const VipClassifier>(std::span<const VipClassifier::Entry>{}, nat_addresses_)),
      service_indexes_(kMaxServiceIndexes),
      backend_indexes_(kMaxBackendIndexes) {
  // Nobody knows any more which timeouts their services had.
  static_cast<void>(backend_indexes_.restore(inherited, now + quarantine(kMaxIdleTimeoutSeconds)));
}

Result<std::unique_ptr<const Snapshot>> Compiler::compile(const Document& document, const NextHops& next_hops,
                                                          Nanoseconds now, const Touched* touched) {
  service_indexes_.advance(now);
  backend_indexes_.advance(now);
  auto compiled = compile_services(document, touched);
  if (!compiled) {
    service_indexes_.roll_back();
    backend_indexes_.roll_back();
    return compiled.error();
  }
  auto snapshot = std::make_unique<Snapshot>();
  snapshot->fresh_services_ = service_indexes_.commit();
  snapshot->fresh_backends_ = backend_indexes_.commit();

  const std::vector<Change> changed = changes(services_, *compiled);
  const bool same_hops = (touched != nullptr && !touched->next_hops) || next_hops == next_hops_;
  update_records(*compiled, changed, same_hops ? next_hops_ : next_hops);
  update_classifier(*compiled, changed);
  remember_owners(changed);
  retire(changed, now);
  services_ = std::move(*compiled);

  snapshot->epoch_ = document.epoch;
  snapshot->generation_ = document.generation;
  snapshot->secret_ = HashSecret(document.hash_key);
  snapshot->classifier_ = classifier_;
  snapshot->records_ = records_.current();
  snapshot->backends_ = snapshot->records_->data();
  snapshot->backend_count_ = snapshot->records_->size();
  snapshot->services_.resize(service_indexes_.bound());
  for (const auto& [id, service] : services_) {
    snapshot->services_[service->index] = make_service_record(*service);
    snapshot->compiled_.push_back(service);
  }
  return std::unique_ptr<const Snapshot>(std::move(snapshot));
}

Result<Compiler::Services> Compiler::compile_services(const Document& document, const Touched* touched) {
  const auto is_unchanged = [touched](const CompiledService& before, const ServiceDocument& service) {
    return touched != nullptr && !touched->services.contains(service.id) ? true : before.document == service;
  };
  Services out;
  for (std::size_t i = 0; i < document.services.size(); ++i) {
    const ServiceDocument& service = document.services[i];
    const auto before = services_.find(service.id);
    if (before != services_.end() && is_unchanged(*before->second, service)) {
      out.emplace(service.id, before->second);
      continue;
    }
    auto compiled = compile_service(service, before != services_.end() ? before->second.get() : nullptr,
                                    "services[" + std::to_string(i) + "]");
    if (!compiled) return compiled.error();
    out.emplace(service.id, *compiled);
  }
  return out;
}

Result<Compiler::CompiledPtr> Compiler::compile_service(const ServiceDocument& document,
                                                        const CompiledService* before,
                                                        const std::string& field) {
  auto service = std::make_shared<CompiledService>();
  service->document = document;
  service->longest_idle_seconds =
      std::max(longest_idle(document.idle), before != nullptr ? before->longest_idle_seconds : 0);
  service->special = make_special(document);
  if (auto assigned = assign_indexes(*service, field); !assigned) return assigned.error();
  const auto of_service = [&field](const Error& e) {
    return Error{e.code, e.message, field + "." + e.field};
  };
  if (auto built = build_tables(*service, before, tables_); !built) return of_service(built.error());
  if (auto built = build_hops(*service, before); !built) return of_service(built.error());
  if (auto built = build_quic_router(*service); !built) return of_service(built.error());
  return CompiledPtr(std::move(service));
}

Status Compiler::assign_indexes(CompiledService& service, const std::string& field) {
  const auto index = service_indexes_.claim(service.document.id);
  if (!index) return invalid(field, "too many services replaced at once: apply the removals first");
  service.index = *index;
  for (const BackendDocument& backend : service.document.backends) {
    const auto claimed = backend_indexes_.claim(backend_name(service.document, backend));
    if (!claimed) {
      return invalid(field + ".backends", "no room: all services together may have " +
                                              std::to_string(backend_indexes_.capacity()) +
                                              " backends, of which " +
                                              std::to_string(backend_indexes_.quarantined()) +
                                              " places still wait for flows of removed backends to expire");
    }
    service.backends.push_back(*claimed);
  }
  return Ok{};
}

std::vector<Compiler::Change> Compiler::changes(const Services& before, const Services& after) {
  std::vector<Change> out;
  for (const auto& [id, service] : before) {
    const auto now = after.find(id);
    if (now == after.end()) out.push_back({service, nullptr});
    if (now != after.end() && now->second != service) out.push_back({service, now->second});
  }
  for (const auto& [id, service] : after) {
    if (!before.contains(id)) out.push_back({nullptr, service});
  }
  return out;
}

// A history is shared with the snapshot that runs: slot_history.h tells why that does no harm.
void Compiler::remember_owners(const std::vector<Change>& changes) noexcept {
  for (const auto& [before, after] : changes) {
    if (before == nullptr || after == nullptr || after->hops.history == nullptr) continue;
    if (before->base->size() != after->base->size()) continue;  // entered when it was made
    if (before->table == after->table && before->backends == after->backends) continue;
    record_change(*after->hops.history, slot_owners(*before), slot_owners(*after));
  }
}

void Compiler::retire(const std::vector<Change>& changes, Nanoseconds now) {
  for (const Change& change : changes) {
    if (change.before == nullptr) continue;
    const CompiledService& old = *change.before;
    // The service's own index names nothing but counters: it may pass on with the next snapshot.
    if (change.after == nullptr) service_indexes_.retire(old.document.id, now);
    std::vector<BackendIndex> kept =
        change.after != nullptr ? change.after->backends : std::vector<BackendIndex>{};
    std::ranges::sort(kept);
    for (std::size_t i = 0; i < old.backends.size(); ++i) {
      if (std::ranges::binary_search(kept, old.backends[i])) continue;
      backend_indexes_.retire(backend_name(old.document, old.document.backends[i]),
                              now + quarantine(old.longest_idle_seconds));
    }
  }
}

void Compiler::update_records(const Services& after, const std::vector<Change>& changes,
                              const NextHops& next_hops) {
  const auto put = [&](BackendIndex index, const BackendRecord& record) {
    records_.put(index, record, backend_indexes_.bound());
  };
  const auto write = [&](const CompiledService& service) {
    for (std::size_t i = 0; i < service.backends.size(); ++i) {
      const BackendDocument& backend = service.document.backends[i];
      const auto hop = next_hops.find(backend.address);
      put(service.backends[i], make_backend_record(service.document, service.index, backend,
                                                   hop != next_hops.end() ? &hop->second : nullptr));
    }
  };
  for (const Change& change : changes) {
    if (change.before == nullptr) continue;
    for (const BackendIndex index : change.before->backends) {
      const bool stays = change.after != nullptr &&
                         std::ranges::find(change.after->backends, index) != change.after->backends.end();
      if (!stays) put(index, BackendRecord{});
    }
  }
  if (&next_hops != &next_hops_) {
    for (const auto& [id, service] : after) write(*service);
    next_hops_ = next_hops;
  } else {
    for (const Change& change : changes) {
      if (change.after != nullptr) write(*change.after);
    }
  }
  records_.commit();
}

void Compiler::update_classifier(const Services& after, const std::vector<Change>& changes) {
  const bool same_keys = std::ranges::all_of(changes, [](const Change& c) {
    return c.before != nullptr && c.after != nullptr && c.before->document.key == c.after->document.key &&
           c.before->special.any() == c.after->special.any();
  });
  if (same_keys) return;
  std::vector<VipClassifier::Entry> entries;
  for (const auto& [id, service] : after) {
    const ServiceIndex special = service->special.any() ? kSpecialService : 0;
    entries.push_back({service->document.key, service->index | special});
  }
  classifier_ = std::make_shared<const VipClassifier>(entries, nat_addresses_);
}

}  // namespace penstock

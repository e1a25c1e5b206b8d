#include "bpf/agent/telemetry/accept_queues.h"

#include <algorithm>

#include "bpf/agent/telemetry/thread_time.h"

namespace penstock {
namespace {

constexpr Nanoseconds kPace = Nanoseconds::from_millis(200);
constexpr std::uint64_t kCostShare =
    200;  // of the time between two questions one in so many is spent on them

}  // namespace

AcceptQueues::AcceptQueues() {
  auto query = ListenerQuery::open();
  if (query) {
    query_ = std::move(*query);
  } else {
    problem_ = query.error().text();
  }
}

void AcceptQueues::set_services(const std::set<VipKey>& services, Nanoseconds now) {
  std::erase_if(services_, [&](const auto& entry) { return !services.contains(entry.first); });
  by_port_.clear();
  for (const VipKey& service : services) {
    services_.try_emplace(service);
    by_port_.emplace(service.port, service);
  }
  if (works()) ask(now);
}

/// What is new of the listener goes to the services that it serves.
void AcceptQueues::charge(const Listener& listener) {
  // A listener that is met only now has dropped nothing before: it is young. But at the first look at all.
  const auto entry = seen_.try_emplace(listener.cookie, Seen{looked_ ? 0 : listener.drops}).first;
  Seen& seen = entry->second;
  const std::uint32_t drops = listener.drops - seen.drops;
  const bool full = listener.queue > listener.limit;
  const bool was_full = full || seen.full;
  seen = {listener.drops, full, false};
  const auto [first, last] = by_port_.equal_range(listener.port);
  for (auto service = first; service != last; ++service) {
    if (!listener.serves(service->second)) continue;
    Entry& mine = services_.at(service->second);
    mine.queue.queue += listener.queue;
    mine.queue.limit += listener.limit;
    mine.listens = true;
    if (!mine.charged) continue;
    mine.queue.drops += drops;
    if (was_full) mine.queue.drops_while_full += drops;
  }
}

void AcceptQueues::ask(Nanoseconds now) {
  const Nanoseconds began = thread_time();
  const auto listeners = query_->all();
  if (!listeners) {
    problem_ = listeners.error().text();
    query_.reset();
    return;
  }
  for (auto& [service, entry] : services_) {
    entry.queue.queue = entry.queue.limit = 0;
    entry.queue.asked = now;
    entry.listens = false;
  }
  for (auto& [cookie, seen] : seen_) seen.gone = true;
  for (const Listener& listener : *listeners) charge(listener);
  std::erase_if(seen_, [](const auto& seen) { return seen.second.gone; });
  for (auto& [service, entry] : services_) entry.charged = true;
  looked_ = true;
  const Nanoseconds cost((thread_time() - began).count() * kCostShare);
  next_ = now + std::max(kPace, cost);
}

const AcceptQueue* AcceptQueues::of(const VipKey& service) const {
  const auto found = services_.find(service);
  return works() && found != services_.end() && found->second.listens ? &found->second.queue : nullptr;
}

}  // namespace penstock

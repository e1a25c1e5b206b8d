// How the judge takes over another configuration. Off the steady state: allocates, and takes as long as it
// has to look at every backend.
#include <algorithm>
#include <unordered_map>
#include <utility>

#include "dataplane/probe/health_judge.h"

namespace penstock {
namespace {

constexpr Nanoseconds kSecond = Nanoseconds::from_seconds(1);

}  // namespace

void HealthJudge::follow(const ProbePlan& plan, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  if (plan.addresses == plan_.addresses && plan.services == plan_.services) return;
  adopt(plan, now);
}

void HealthJudge::adopt(const ProbePlan& plan, Nanoseconds now) {
  std::vector<Backend> before = std::exchange(backends_, {});
  const std::vector<Service> services_before = services_;
  adopt_services(plan, before, now);
  std::ranges::fill(positions_, kNowhere);
  for (std::size_t i = 0; i < backends_.size(); ++i) {
    const BackendIndex index = backends_[i].index;
    if (index >= positions_.size()) positions_.resize(index + std::size_t{1}, kNowhere);
    positions_[index] = static_cast<std::uint32_t>(i);
  }
  adopt_addresses(plan);
  plan_.addresses = plan.addresses;
  plan_.services = plan.services;
  forget_gone(before, services_before);
  timed_.clear();
  timed_.reserve(backends_.size());
  for (Backend& b : backends_) b.timed = false;
  for (Backend& b : backends_) settle(b, now);
  for (Service& s : services_) settle_service(s);
}

/// positions_ are still those of `before`.
void HealthJudge::adopt_services(const ProbePlan& plan, std::vector<Backend>& before, Nanoseconds now) {
  std::unordered_map<ServiceIndex, Service> known;
  for (Service& s : services_) known.emplace(s.index, std::move(s));
  services_.clear();
  services_.reserve(plan.services.size());
  for (const JudgedService& wanted : plan.services) {
    const auto found = known.find(wanted.index);
    Service s = found != known.end() ? std::move(found->second) : Service{};
    s.index = wanted.index;
    s.policy = wanted.health;
    s.first = static_cast<std::uint32_t>(backends_.size());
    s.count = static_cast<std::uint32_t>(wanted.backends.size());
    s.takers = s.wanted = s.alive = s.open = 0;
    for (const JudgedBackend& judged : wanted.backends) {
      Backend b;
      if (Backend* const old = find_in(before, judged.index)) b = *old;
      b.index = judged.index;
      b.service = static_cast<std::uint32_t>(services_.size());
      b.address = kNowhere;
      b.maintenance = judged.maintenance;
      b.takes_new_flows = judged.takes_new_flows;
      if (s.policy.direct == DirectChecks::kOff || !s.policy.direct_check) b.direct = {};
      s.takers += b.takes_new_flows;
      s.wanted += counts(b);
      s.alive += counts(b) && !b.state.down();
      s.open += b.breaker.state() != BreakerState::kClosed;
      backends_.push_back(std::move(b));
    }
    services_.push_back(std::move(s));
  }
  // The seconds of all services are spread over one.
  next_service_ = 0;
  for (std::size_t i = 0; i < services_.size(); ++i)
    services_[i].next_second = now + Nanoseconds(kSecond.count() * (i + 1) / services_.size());
}

HealthJudge::Backend* HealthJudge::find_in(std::vector<Backend>& backends, BackendIndex index) const {
  if (index >= positions_.size() || positions_[index] >= backends.size()) return nullptr;
  return &backends[positions_[index]];
}

/// Needs the new backends and their positions; plan_ is still the one before.
void HealthJudge::adopt_addresses(const ProbePlan& plan) {
  std::unordered_map<IpAddr, Address> known;
  for (std::size_t i = 0; i < addresses_.size(); ++i)
    known.emplace(plan_.addresses[i].address, std::move(addresses_[i]));
  addresses_.clear();
  addresses_.reserve(plan.addresses.size());
  for (const ProbedAddress& wanted : plan.addresses) {
    Address address;
    if (const auto found = known.find(wanted.address); found != known.end()) {
      address = std::move(found->second);
      known.erase(found);
    }
    address.backends.clear();
    for (const ProbedService& service : wanted.services) {
      Backend* const b = find(service.backend);
      address.backends.push_back(b != nullptr ? positions_[service.backend] : kNowhere);
      if (b != nullptr) b->address = static_cast<std::uint32_t>(addresses_.size());
    }
    addresses_.push_back(std::move(address));
  }
  for (const auto& [gone, address] : known) doubt_.forget(address.silence);
}

void HealthJudge::forget_gone(std::span<const Backend> before, std::span<const Service> services_before) {
  for (const Backend& b : before) {
    if (find(b.index) == nullptr) states_.set(b.index, BackendState());
  }
  std::vector<ServiceIndex> there;
  for (const Service& s : services_) there.push_back(s.index);
  std::ranges::sort(there);
  for (const Service& s : services_before) {
    if (!std::ranges::binary_search(there, s.index)) states_.set_service(s.index, ServiceState::kAlive);
  }
}

}  // namespace penstock

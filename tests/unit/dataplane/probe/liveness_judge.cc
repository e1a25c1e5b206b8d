#include "tests/unit/dataplane/probe/liveness_judge.h"

#include <algorithm>
#include <map>
#include <utility>

namespace penstock {

void LivenessJudge::publish(const Address& address, std::size_t service) {
  BackendState state = kUpState;
  if (!address.ever_answered) {
    state = BackendState();
  } else if (address.silent || address.listeners[service] == Listener::kAbsent) {
    state = kDownState;
  }
  states_.set(address.services[service].backend, state);
}

void LivenessJudge::publish_all(const Address& address) {
  for (std::size_t i = 0; i < address.services.size(); ++i) publish(address, i);
}

void LivenessJudge::follow(const ProbePlan& plan, Nanoseconds /*now*/) {
  std::map<IpAddr, Address> known;
  std::map<BackendIndex, Listener> listeners;
  for (std::size_t i = 0; i < order_.size(); ++i) {
    Address& address = addresses_[i];
    for (std::size_t j = 0; j < address.services.size(); ++j)
      listeners[address.services[j].backend] = address.listeners[j];
    known.emplace(order_[i], std::move(address));
  }
  order_.clear();
  addresses_.clear();
  for (const ProbedAddress& wanted : plan.addresses) {
    const auto found = known.find(wanted.address);
    Address address = found != known.end() ? std::move(found->second) : Address{};
    address.services = wanted.services;
    address.listeners.assign(wanted.services.size(), Listener::kUnknown);
    for (std::size_t i = 0; i < wanted.services.size(); ++i) {
      const auto before = listeners.extract(wanted.services[i].backend);
      if (!before.empty()) address.listeners[i] = before.mapped();
    }
    order_.push_back(wanted.address);
    addresses_.push_back(std::move(address));
  }
  for (const auto& [gone, listener] : listeners) states_.set(gone, BackendState());
  for (const Address& address : addresses_) publish_all(address);
}

void LivenessJudge::answered(std::size_t position, std::size_t first, std::span<const ServiceReport> services,
                             const std::optional<probe_host_load>& /*host*/, Nanoseconds /*rtt*/,
                             Nanoseconds /*now*/) {
  Address& address = addresses_[position];
  bool all_change = !std::exchange(address.ever_answered, true);
  address.lost_rounds = 0;
  if (address.silent && first == 0 && ++address.answered_rounds >= kRiseRounds) {
    address.silent = false;
    all_change = true;
  }
  const std::size_t end = std::min(first + services.size(), address.listeners.size());
  for (std::size_t i = first; i < end; ++i) address.listeners[i] = services[i - first].listener;
  if (all_change) return publish_all(address);
  for (std::size_t i = first; i < end; ++i) publish(address, i);
}

void LivenessJudge::lost(std::size_t position, Nanoseconds /*now*/) {
  Address& address = addresses_[position];
  if (!address.ever_answered) return;
  address.answered_rounds = 0;
  if (address.silent || ++address.lost_rounds < kFallRounds) return;
  address.silent = true;
  address.lost_rounds = 0;
  publish_all(address);
}

void LivenessJudge::tick(Nanoseconds /*now*/) {}

}  // namespace penstock

#include "dataplane/config/index_pool.h"

#include <algorithm>

namespace penstock {

bool IndexPool::restore(std::span<const NamedIndex> names, Nanoseconds until) {
  std::uint32_t bound = 0;
  for (const NamedIndex& n : names) bound = std::max(bound, n.index + 1);
  if (bound > capacity_ || std::ranges::any_of(names, [](const NamedIndex& n) { return n.index + 1 == 0; }))
    return false;
  std::vector<bool> held(bound, false);
  std::unordered_map<std::string, Holding> holdings;
  holdings.reserve(names.size());
  for (const NamedIndex& n : names) {
    if (held[n.index] || !holdings.emplace(n.name, Holding{n.index, true, until}).second) return false;
    held[n.index] = true;
  }
  holdings_ = std::move(holdings);
  next_ = bound;
  quarantined_ = names.size();
  std::vector<Retirement> retirements;
  retirements.reserve(names.size());
  for (const NamedIndex& n : names) retirements.push_back({until, n.name});
  retirements_ = decltype(retirements_)(std::greater<>(), std::move(retirements));
  for (std::uint32_t i = 0; i < bound; ++i) {
    if (!held[i]) free_.push_back(i);
  }
  return true;
}

std::optional<std::uint32_t> IndexPool::claim(const std::string& name) {
  if (const auto found = holdings_.find(name); found != holdings_.end()) {
    Holding& holding = found->second;
    if (holding.retired) {
      holding.retired = false;
      --quarantined_;
      claims_.push_back({name, true});
    }
    return holding.index;
  }
  Holding holding;
  if (!free_.empty()) {
    holding.index = free_.front();
    free_.pop_front();
  } else if (next_ < capacity_) {
    holding.index = next_++;
  } else {
    return std::nullopt;
  }
  holdings_.emplace(name, holding);
  claims_.push_back({name, false});
  return holding.index;
}

std::vector<std::uint32_t> IndexPool::commit() {
  std::vector<std::uint32_t> fresh;
  for (const Claim& claim : claims_) {
    if (!claim.revived) fresh.push_back(holdings_.at(claim.name).index);
  }
  claims_.clear();
  if (!fresh.empty()) ++version_;
  return fresh;
}

void IndexPool::roll_back() {
  for (auto claim = claims_.rbegin(); claim != claims_.rend(); ++claim) {
    const auto found = holdings_.find(claim->name);
    if (claim->revived) {
      found->second.retired = true;
      ++quarantined_;
    } else {
      free_.push_front(found->second.index);
      holdings_.erase(found);
    }
  }
  claims_.clear();
}

void IndexPool::retire(const std::string& name, Nanoseconds until) {
  const auto found = holdings_.find(name);
  if (found == holdings_.end() || found->second.retired) return;
  Holding& holding = found->second;
  holding.retired = true;
  holding.until = std::max(holding.until, until);
  ++quarantined_;
  retirements_.push({holding.until, name});
}

void IndexPool::advance(Nanoseconds now) {
  while (!retirements_.empty() && retirements_.top().until <= now) {
    const auto found = holdings_.find(retirements_.top().name);
    // A name that was claimed again, or retired anew for longer, has outlived this entry.
    if (found != holdings_.end() && found->second.retired && found->second.until <= now) {
      free_.push_back(found->second.index);
      holdings_.erase(found);
      --quarantined_;
    }
    retirements_.pop();
  }
}

}  // namespace penstock

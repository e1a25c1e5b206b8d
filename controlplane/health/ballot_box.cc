#include "controlplane/health/ballot_box.h"

#include <string_view>
#include <unordered_map>
#include <utility>

namespace penstock {
namespace {

/// `source` with what is known of the backends that `former` has too.
BallotBox::Service follow_service(std::shared_ptr<const Service> source, BallotBox::Service former) {
  BallotBox::Service out;
  out.source = std::move(source);
  out.all_down = std::move(former.all_down);
  out.all_down_at = std::move(former.all_down_at);
  std::unordered_map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < former.backends.size(); ++i) known.emplace(former.backends[i].now.id, i);
  out.backends.reserve(out.source->backends.size());
  for (const Backend& backend : out.source->backends) {
    const auto found = known.find(backend.id);
    BallotBox::Backend* old = found == known.end() ? nullptr : &former.backends[found->second];
    // At another address it is another host.
    if (old != nullptr && old->address != backend.address) old = nullptr;
    BallotBox::Backend& entry = out.backends.emplace_back();
    entry.address = backend.address;
    if (old != nullptr) {
      entry.cast = std::move(old->cast);
      entry.now = old->now;
    }
    entry.now.id = backend.id;
  }
  return out;
}

/// Finds backends that come in the service's order without a search, and others by an index that is made when
/// the first is out of order.
class Finder {
 public:
  explicit Finder(std::vector<BallotBox::Backend>& backends) : backends_(backends) {}

  BallotBox::Backend* find(std::string_view id) {
    if (next_ < backends_.size() && backends_[next_].now.id == id) return &backends_[next_++];
    if (index_.empty()) {
      for (std::size_t i = 0; i < backends_.size(); ++i) index_.emplace(backends_[i].now.id, i);
    }
    const auto found = index_.find(id);
    if (found == index_.end()) return nullptr;
    next_ = found->second + 1;
    return &backends_[found->second];
  }

 private:
  std::vector<BallotBox::Backend>& backends_;
  std::size_t next_ = 0;
  std::unordered_map<std::string_view, std::size_t> index_;
};

}  // namespace

void BallotBox::follow(const DesiredState& state) {
  std::erase_if(services_, [&](const auto& entry) { return !state.services.contains(entry.first); });
  auto at = services_.begin();
  for (const auto& [id, source] : state.services) {
    // Both are in the order of ids, and services_ has none that the state has not.
    if (at == services_.end() || at->first != id) at = services_.emplace_hint(at, id, Service{});
    if (at->second.source != source) at->second = follow_service(source, std::move(at->second));
    ++at;
  }
}

void BallotBox::begin_round(std::size_t gateway) {
  if (rounds_.size() <= gateway) rounds_.resize(gateway + 1, 0);
  ++rounds_[gateway];
}

void BallotBox::discard(std::size_t gateway) { begin_round(gateway); }

void BallotBox::enter(std::size_t gateway, const proto::DataplaneStats& stats) {
  begin_round(gateway);
  auto expected = services_.begin();
  for (const proto::ServiceStats& service : stats.services()) {
    if (expected == services_.end() || expected->first != service.service()) {
      const auto found = services_.find(service.service());
      if (found == services_.end()) continue;
      expected = found;
    }
    enter(gateway, service, expected->second);
    ++expected;
  }
}

void BallotBox::enter(std::size_t gateway, const proto::ServiceStats& stats, Service& service) {
  const std::uint32_t round = rounds_[gateway];
  if (stats.all_down()) {
    if (service.all_down.size() <= gateway) service.all_down.resize(gateway + 1, 0);
    service.all_down[gateway] = round;
  }
  Finder finder(service.backends);
  for (const proto::BackendStats& backend : stats.backends()) {
    Backend* const entry = finder.find(backend.backend());
    if (entry == nullptr) continue;
    if (entry->cast.size() <= gateway) entry->cast.resize(gateway + 1);
    entry->cast[gateway] = {round, ballot_of(backend)};
  }
}

}  // namespace penstock

// Who said what of which backend. Made for 100,000 backends and 64 gateways that report every second: a
// report is entered once when it comes, found by its order instead of by look-up, and what it does not
// mention any more stops counting without being cleared.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/health/health_snapshot.h"
#include "controlplane/model/desired_state.h"

namespace penstock {

class BallotBox {
 public:
  /// A ballot counts while its round is its gateway's.
  struct Cast {
    std::uint32_t round = 0;
    Ballot ballot;
  };
  struct Backend {
    IpAddr address;
    std::vector<Cast> cast;  // by gateway, as far as any has voted
    BackendVerdict now;      // as last counted; its id always
  };
  struct Service {
    std::shared_ptr<const penstock::Service> source;
    std::vector<Backend> backends;                 // as in source
    std::vector<std::uint32_t> all_down;           // by gateway: the round in which it said so
    std::vector<std::string> all_down_at;          // as last counted: ids of gateways
    std::shared_ptr<const ServiceVerdicts> shown;  // as last counted; null: not since the service changed
  };
  using Services = std::map<std::string, Service, std::less<>>;

  /// Backends of `state` are voted on from now on. What is known of those that stay is kept.
  void follow(const DesiredState& state);

  /// Replaces all that the gateway said before. Unknown services and backends are ignored.
  void enter(std::size_t gateway, const proto::DataplaneStats& stats);
  /// Nothing that the gateway said counts any more.
  void discard(std::size_t gateway);

  [[nodiscard]] bool counts(std::size_t gateway, std::uint32_t round) const {
    return gateway < rounds_.size() && rounds_[gateway] == round;
  }
  [[nodiscard]] Services& services() { return services_; }

 private:
  void begin_round(std::size_t gateway);
  void enter(std::size_t gateway, const proto::ServiceStats& stats, Service& service);

  Services services_;
  std::vector<std::uint32_t> rounds_;  // by gateway; from 1
};

}  // namespace penstock

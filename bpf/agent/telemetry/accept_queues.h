// What the listeners of the measured services say: the accept queue, and the connections they dropped since
// the service was set.
//
// Theory of operation: no tracepoint tells of an accept() or of a dropped SYN, but the listener counts both.
// It is asked every 200 ms, less often where there are so many that this would cost half a percent of a core.
// A listener bound to every address serves all services of its port, which then share its numbers. Drops
// while its queue is full are put down to that. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "bpf/agent/telemetry/listeners.h"
#include "penstock/base/units.h"

namespace penstock {

struct AcceptQueue {
  std::uint32_t queue = 0;
  std::uint32_t limit = 0;  // it is full when `queue` exceeds that
  std::uint64_t drops = 0;
  std::uint64_t drops_while_full = 0;
  Nanoseconds asked;
};

class AcceptQueues {
 public:
  AcceptQueues();

  /// Drops count from here for services that are new.
  void set_services(const std::set<VipKey>& services, Nanoseconds now);

  [[nodiscard]] bool is_due(Nanoseconds now) const { return works() && now >= next_; }
  void ask(Nanoseconds now);

  [[nodiscard]] bool works() const { return query_.has_value(); }
  /// Nothing when nobody listens, or asking does not work.
  [[nodiscard]] const AcceptQueue* of(const VipKey& service) const;
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  struct Seen {
    std::uint32_t drops = 0;
    bool full = false;
    bool gone = false;
  };
  struct Entry {
    AcceptQueue queue;
    bool listens = false;
    bool charged = false;  // counts drops; not at the first look after it was set
  };
  void charge(const Listener& listener);

  std::optional<ListenerQuery> query_;
  std::string problem_;
  std::map<VipKey, Entry> services_;
  std::multimap<std::uint16_t, VipKey> by_port_;
  std::map<std::uint64_t, Seen> seen_;  // listeners, by cookie
  bool looked_ = false;
  Nanoseconds next_;
};

}  // namespace penstock

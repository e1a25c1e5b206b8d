// The fleet's health as one value: what REST, metrics and gateways are told. Immutable once shared, any
// thread. Times are monotonic_now(), those of events Unix time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/health/node_watch.h"
#include "controlplane/health/votes.h"
#include "penstock/base/units.h"

namespace penstock {

struct BackendVerdict {
  std::string id;
  Verdict verdict = Verdict::kUnknown;
  proto::BackendHealth::Reason reason = proto::BackendHealth::NONE;  // most of the voters against it
  Nanoseconds since;
  Votes votes;
  std::string node;  // that has its address; empty: none that ever connected
};

struct ServiceVerdicts {
  std::vector<BackendVerdict> backends;  // in the service's order
  std::vector<std::string> all_down;     // gateways where nobody is left for new flows
};

struct NodeHealth {
  NodeState state = NodeState::kUnknown;
  Nanoseconds since;
  bool agent_talks = false;
  PathVotes paths;
};

struct HealthEvent {
  std::uint64_t unix_ms = 0;
  const char* kind = "";  // "backend", "service", "node"
  std::string object;     // "web/be1", "web", "be1"
  std::string from, to;
  std::string reason;
};

struct HealthSnapshot {
  std::map<std::string, std::shared_ptr<const ServiceVerdicts>, std::less<>> services;
  std::map<std::string, NodeHealth, std::less<>> nodes;
  std::shared_ptr<const std::vector<HealthEvent>> events;  // the oldest first, never null
  std::uint32_t gateways = 0;                              // that have a vote on anything
};

}  // namespace penstock

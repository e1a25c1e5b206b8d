// What each command of penstockctl does, given its parsed arguments. Everything it prints goes to `out`; an
// Error is printed by the caller. One thread.
#pragma once

#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/ctl/drain_flags.h"
#include "controlplane/ctl/gateway_flags.h"
#include "controlplane/ctl/policy_flags.h"
#include "controlplane/ctl/progress.h"
#include "controlplane/ctl/rest_client.h"
#include "controlplane/ctl/service_flags.h"
#include "controlplane/ctl/weight_tables.h"

namespace penstock {

class Commands {
 public:
  /// `progress` gets what --wait says; it is `out`, but for JSON.
  Commands(RestClient rest, bool json, std::ostream& out, std::ostream& progress)
      : rest_(std::move(rest)), json_(json), out_(out), progress_(progress) {}

  Status get_services(const std::string& id);
  Status get_backends(const std::string& id);  // empty, SERVICE or SERVICE/BACKEND
  Status get_gateways(const std::string& id);
  Status get_nodes(const std::string& id);
  Status get_status();

  /// text: one service document, or {"services": [...]}. Goes on past a refused service and then fails.
  Status apply(const std::string& text);
  /// Refused when the service exists.
  Status create_service(const std::string& id, const ServiceFlags& flags);
  /// Creates or changes.
  Status set_service(const std::string& id, const ServiceFlags& flags);
  Status set_backend(const std::string& service_and_backend, const BackendFlags& flags);
  Status set_gateway(const std::string& id, const GatewayFlags& flags);
  Status remove(const std::string& kind, const std::string& id);

  /// kind: "backend", "node" or "gateway". Waits until it is done if the flags say so (drain_commands.cc).
  Status drain(const std::string& kind, const std::string& id, const DrainFlags& flags);
  Status undrain(const std::string& kind, const std::string& id, const DrainFlags& flags);
  Status upgrade(const std::string& gateway, const DrainFlags& flags);
  /// kind: "backend" or "node".
  Status maintenance(const std::string& kind, const std::string& id, bool on);

  /// All, or one of them (these four: weight_commands.cc).
  Status policies(const std::string& id);
  /// Creates or changes.
  Status set_policy(const std::string& id, const PolicyFlags& flags);
  Status explain_weights(const std::string& service);
  Status weight_history(const std::string& service, const HistoryFlags& flags);

  /// Of one service, or all in short. Prints `count` tables (0 = for ever), `interval_seconds` apart.
  Status health(const std::string& service, double interval_seconds, unsigned count, bool clear);

  /// Prints `count` tables (0 = for ever), `interval_seconds` apart. clear: begin each on a cleared screen.
  Status top(double interval_seconds, unsigned count, bool clear);

 private:
  using TableOf = std::string (*)(const Json&);

  Status get(const std::string& collection, const std::string& id, TableOf table);
  Status print(const Json& document, const std::string& sentence);
  Result<RestClient::Path> path_of(const std::string& kind, const std::string& id) const;
  /// backends: service and backend.
  Status wait_for_backends(std::vector<std::pair<std::string, std::string>> backends,
                           const DrainFlags& flags);
  /// otherwise_seconds: the limit without --timeout.
  Status wait_for_gateway(const std::string& id, const DrainFlags& flags, std::uint64_t otherwise_seconds,
                          const std::function<Standing(const Json&)>& standing);

  RestClient rest_;
  bool json_;
  std::ostream& out_;
  std::ostream& progress_;
};

}  // namespace penstock

// A router (FRR) and a gateway in network namespaces of their own, joined by a veth pair, IPv4 and IPv6. The
// gateway runs the daemon under test from the product's own template. Everything ends with the object.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controlplane/announce/routing_daemon.h"

namespace penstock::test {

class RoutingLab {
 public:
  /// daemon: "frr", "bird", "gobgp". Waits for nothing; see sessions_up().
  explicit RoutingLab(const std::string& daemon);
  RoutingLab(const RoutingLab&) = delete;
  RoutingLab& operator=(const RoutingLab&) = delete;
  ~RoutingLab();

  [[nodiscard]] const RoutingOptions& options() const { return options_; }
  [[nodiscard]] bool sessions_up() const;

  /// The router's path to a VIP: null, or the object that FRR shows.
  [[nodiscard]] nlohmann::json path(const std::string& vip) const;
  /// Whether the router's kernel has a route to it.
  [[nodiscard]] bool routed(const std::string& vip) const;
  /// What the gateway's BFD promises to send, milliseconds; 0 without a session.
  [[nodiscard]] int bfd_interval_ms() const;

  /// Enters the gateway's namespace with the calling thread.
  void enter_gateway() const;
  void kill_daemon();  // SIGKILL
  /// From now on nothing that the gateway sends reaches the router, though the link stays up.
  void go_silent() const;

  /// The output of a shell command; both streams.
  static std::string shell(const std::string& command);

 private:
  void start_frr(const std::string& ns, const std::string& conf);
  void render(const std::string& folder, const std::string& name, const std::string& values,
              const std::string& to) const;
  [[nodiscard]] nlohmann::json vtysh(const std::string& command) const;

  std::string name_;  // of both namespaces, without r and g
  std::string dir_;
  RoutingOptions options_;
  std::vector<std::string> pid_files_;
};

}  // namespace penstock::test

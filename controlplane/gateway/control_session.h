// This gateway's session with the control plane: one long gRPC stream, dialled again with back-off for ever.
// Directives come down; what became of them, and a status every second, go up. Losing the stream changes
// nothing on this host.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/gateway/config_id.h"
#include "penstock/proto/gateway.pb.h"

namespace grpc {
class ChannelCredentials;
}

namespace penstock {

class ControlSession {
 public:
  struct Options {
    std::string gateway;  // id
    std::string target;   // HOST:PORT of the control plane
    std::shared_ptr<grpc::ChannelCredentials> credentials;
    bool tls = false;
    std::string version;
    std::string sync_address;  // where the dataplane takes flows from peers; empty: not at all
    std::string routing;       // the routing daemon's name
    std::chrono::milliseconds first_backoff{100};
    std::chrono::milliseconds longest_backoff{5000};
    std::chrono::milliseconds status_interval{1000};
    std::chrono::milliseconds loads_interval{100};
  };
  /// Called in the session's threads. status may take up to half a second, loads as long as its interval.
  struct Callbacks {
    std::function<void(proto::GatewayDirective)> on_directive;
    std::function<proto::GatewayStatus()> status;
    std::function<ConfigId()> running;
    std::function<std::vector<proto::SyncPeer>()>
        peers{};  // of the dataplane, for the hello; may be left out
    std::function<std::optional<proto::BackendLoads>()> loads{};  // nothing: nobody asked; may be left out
  };

  ControlSession(Options options, Callbacks callbacks);
  ControlSession(const ControlSession&) = delete;
  ControlSession& operator=(const ControlSession&) = delete;
  ~ControlSession();

  void start();  // once
  /// Ends the stream and the threads. report() may still be called.
  void stop();

  /// Queues the fate of a directive. Any thread; returns at once. Forgotten when the stream ends before it
  /// was sent: the next session begins with a hello that says what runs.
  void report(const proto::ApplyConfigResponse& applied);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock

// The gRPC service of penstock/proto/dataplane.proto on a unix socket. gRPC's headers stay in the .cc.
// The socket has mode 0600: whoever may connect may reconfigure.
#pragma once

#include <memory>
#include <string>

#include "dataplane/control/config_applier.h"
#include "dataplane/control/engine_view.h"
#include "penstock/base/result.h"

namespace penstock {

class ControlServer {
 public:
  /// Listens on `socket_path`, for which the caller holds the SocketLock. The applier and what the view
  /// points to must outlive the server. The calling thread's process must not create files meanwhile (umask).
  static Result<std::unique_ptr<ControlServer>> start(const std::string& socket_path, ConfigApplier& applier,
                                                      EngineView engine);
  /// Ends heartbeats at once, then whatever else runs, and removes the socket.
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// Ends every heartbeat stream and refuses new ones. First step of a clean stop, while packets still flow.
  void stop_heartbeats();

 private:
  class Impl;
  explicit ControlServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace penstock

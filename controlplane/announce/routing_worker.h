// The thread that keeps the routing daemon on what is wished: the newest wish counts, a failure is tried
// again with growing pauses, and every few seconds the daemon is compared with the wish, since it may have
// restarted. Nobody waits for it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "controlplane/announce/routing_daemon.h"

namespace penstock {

class RoutingWorker {
 public:
  explicit RoutingWorker(std::unique_ptr<RoutingDaemon> daemon);
  RoutingWorker(const RoutingWorker&) = delete;
  RoutingWorker& operator=(const RoutingWorker&) = delete;
  /// Carries out a wish that is still new (a withdrawal, say), once, and leaves the daemon as it is then.
  ~RoutingWorker();

  // From any thread; all return at once.
  void set_announced(const Announcements& announced);
  void set_link(const LinkPolicy& link);
  /// Why the daemon does not do what is wished; empty while it does.
  [[nodiscard]] std::string error() const;

 private:
  void run();

  std::unique_ptr<RoutingDaemon> daemon_;  // the worker's thread only

  mutable std::mutex mutex_;  // what follows
  std::condition_variable wake_;
  RoutingWish wish_;
  bool changed_ = false;
  bool stopping_ = false;
  std::string error_;

  std::thread thread_;
};

}  // namespace penstock

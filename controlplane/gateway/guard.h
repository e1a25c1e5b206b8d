// The guard: withdraws this host's VIP routes as soon as the dataplane's heartbeat stops, and puts them back
// when it has returned for a while. The rules are GuardPolicy's; this is the thread that has the clock and
// the kernel.
//
// The thread waits for nothing but its own condition variable and the kernel's route socket: no log, no disk,
// no peer. What it has to say is collected and fetched by take_events(). It asks for real-time scheduling
// (see realtime.h).
//
// on_beat(), on_gone(), set_wanted(), snapshot() and take_events() may be called from any thread and return
// at once.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "controlplane/announce/vip_routes.h"
#include "controlplane/gateway/guard_policy.h"

namespace penstock {

class Guard {
 public:
  struct Snapshot {
    GuardPolicy::State state = GuardPolicy::State::kStarting;
    bool beating = false;
    Announcements announced;  // as last read from or written to the kernel
  };
  struct Event {
    bool error = false;
    std::string sentence;
  };
  enum class Leave { kRoutes, kNothing };  // what stays behind when the guard stops

  /// Called in the guard's thread with what the kernel's routes say, after each comparison; must return at
  /// once.
  using OnAnnounced = std::function<void(const Announcements&)>;

  /// Starts the thread. routes must have been opened in the network namespace of the announcements.
  Guard(const GuardTiming& timing, std::unique_ptr<VipRoutes> routes, OnAnnounced on_announced);
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  /// As stop(Leave::kRoutes): a process that ends without saying so fails static.
  ~Guard();

  /// A beat was read at `when`.
  void on_beat(Nanoseconds when, BeatFacts facts);

  /// Nobody listens at the dataplane's socket any more: the routes go at once. A beat read before is
  /// forgotten.
  void on_gone();

  /// The VIPs to announce while the dataplane beats. Before the first call the kernel's routes are left as
  /// they are.
  void set_wanted(Announcements vips);

  [[nodiscard]] Snapshot snapshot() const;
  [[nodiscard]] std::vector<Event> take_events();

  /// Ends the thread; with Leave::kNothing it withdraws every route first.
  void stop(Leave leave);

 private:
  struct Beat {
    Nanoseconds when;
    BeatFacts facts;
  };

  void run();
  void reconcile(bool withdraw);
  void say(bool error, std::string sentence);

  const OnAnnounced on_announced_;
  std::unique_ptr<VipRoutes> routes_;  // guard thread only, like policy_ and last_error_
  GuardPolicy policy_;
  std::string last_error_;

  mutable std::mutex mutex_;  // what follows; held for moments only
  std::condition_variable wake_;
  std::optional<Beat> beat_;
  bool gone_ = false;
  std::optional<Announcements> wanted_;
  bool wanted_changed_ = false;
  std::optional<Leave> stopping_;
  Snapshot snapshot_;
  std::vector<Event> events_;

  std::thread thread_;
};

}  // namespace penstock

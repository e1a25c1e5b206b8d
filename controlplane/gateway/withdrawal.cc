#include "controlplane/gateway/withdrawal.h"

#include <condition_variable>
#include <mutex>

#include "controlplane/gateway/beat_reader.h"

namespace penstock {

bool dataplane_forwards(const std::string& socket_path, std::chrono::milliseconds longest) {
  if (nobody_listens(socket_path)) return false;
  std::mutex mutex;
  std::condition_variable heard;
  bool forwards = false;
  const BeatReader beats(socket_path, 20,
                         {.on_beat =
                              [&](Nanoseconds, const proto::Beat& beat) {
                                const std::lock_guard lock(mutex);
                                forwards |= beat.generation() != 0;
                                heard.notify_one();
                              },
                          .on_stream = [] {},
                          .on_gone = [] {}});
  std::unique_lock lock(mutex);
  return heard.wait_for(lock, longest, [&] { return forwards; });
}

Result<VipRoutes::Change> withdraw_everything(VipRoutes& routes, RoutingDaemon& daemon) {
  auto change = routes.withdraw_all();
  const Status told = daemon.follow({.announced = Announcements{}, .link = std::nullopt});
  if (change && !told) return told.error();
  return change;
}

}  // namespace penstock

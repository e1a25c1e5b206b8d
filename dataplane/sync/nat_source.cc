#include "dataplane/sync/nat_source.h"

#include "dataplane/sync/nat_sync_record.h"

namespace penstock {

void NatSource::collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) {
  NatEvent event;
  for (NatEvents* events : events_) {
    // As many as there can have been at the beginning: a busy worker does not hold the thread.
    for (std::size_t left = events->capacity(); left != 0 && events->pop(event); --left) take(event, now);
  }
  std::erase_if(sessions_, [now](const auto& s) { return now - s.second.last_heard > kForgottenAfter; });
  for (const auto& [key, session] : sessions_) {
    if (now - session.first_heard >= kMinAge) tell(sync_record_of(key, session.record));
  }
}

void NatSource::take(const NatEvent& event, Nanoseconds now) {
  const auto known = sessions_.find(event.key);
  const bool same = known != sessions_.end() && known->second.record.same_session(event.record);
  if (event.ended) {
    if (same) sessions_.erase(known);
    return;
  }
  Session& session = sessions_[event.key];
  session.record = event.record;
  session.last_heard = now;
  if (!same) session.first_heard = now;
}

}  // namespace penstock

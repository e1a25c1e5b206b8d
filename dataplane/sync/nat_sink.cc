#include "dataplane/sync/nat_sink.h"

#include "dataplane/sync/nat_sync_record.h"

namespace penstock {

namespace {

// Of the places at every tick: all in 5 s.
constexpr std::size_t kTicksPerRound = 50;

}  // namespace

bool NatSink::put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) {
  const auto session = decode_nat_record(record.bytes());
  if (!session) return false;
  return sessions_.put(record.key, *session, peer, tick_of(now + lease_));
}

void NatSink::erase(std::uint64_t key, std::uint8_t peer) { sessions_.erase(key, peer); }

bool NatSink::tick(Nanoseconds now) {
  sessions_.sweep(tick_of(now), sessions_.capacity() / kTicksPerRound + 1);
  return false;
}

void NatSink::collect(const std::function<void(const SyncRecord&)>& tell) {
  sessions_.each(
      [&tell](std::uint64_t key, const NatSessionRecord& session) { tell(sync_record_of(key, session)); });
}

}  // namespace penstock

#include "dataplane/sync/nat_replication.h"

#include <sys/random.h>

#include <algorithm>

namespace penstock {

namespace {

// The sweep tells of a table's sessions in about 9 s: a ring holds what comes in one.
constexpr std::size_t kSessionsPerEvent = 8;
constexpr std::size_t kMinEvents = 1024;
// A gateway's peers together have more sessions than it has itself.
constexpr std::size_t kForeignPerOwn = 2;

std::vector<std::unique_ptr<NatEvents>> make_events(std::size_t workers, std::size_t sessions) {
  std::vector<std::unique_ptr<NatEvents>> out;
  for (std::size_t i = 0; i < workers; ++i)
    out.push_back(std::make_unique<NatEvents>(std::max(kMinEvents, sessions / kSessionsPerEvent)));
  return out;
}

std::vector<NatEvents*> views_of(const std::vector<std::unique_ptr<NatEvents>>& events) {
  std::vector<NatEvents*> out;
  for (const auto& ring : events) out.push_back(ring.get());
  return out;
}

}  // namespace

Result<std::unique_ptr<NatReplication>> NatReplication::make(std::size_t workers, std::size_t sessions) {
  std::array<std::uint8_t, 32> key;
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return unavailable("the kernel gives no random numbers");
  return std::unique_ptr<NatReplication>(new NatReplication(workers, sessions, key));
}

NatReplication::NatReplication(std::size_t workers, std::size_t sessions,
                               const std::array<std::uint8_t, 32>& key)
    : events_(make_events(workers, sessions)),
      views_(views_of(events_)),
      foreign_(workers * sessions * kForeignPerOwn, key),
      source_(views_),
      sink_(foreign_) {}

}  // namespace penstock

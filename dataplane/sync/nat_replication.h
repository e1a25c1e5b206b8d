// All that replicating NAT sessions needs besides the engine: a ring for each worker, what peers have told,
// and source and sink between them. main() makes it before the workers, and destroys it after them.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/sync/nat_sink.h"
#include "dataplane/sync/nat_source.h"
#include "penstock/base/result.h"

namespace penstock {

class NatReplication {
 public:
  /// sessions: of each worker's table. Unavailable without random bytes from the kernel. Throws
  /// std::bad_alloc.
  static Result<std::unique_ptr<NatReplication>> make(std::size_t workers, std::size_t sessions);
  NatReplication(const NatReplication&) = delete;
  NatReplication& operator=(const NatReplication&) = delete;

  /// By worker.
  [[nodiscard]] const std::vector<NatEvents*>& events() const noexcept { return views_; }
  [[nodiscard]] const ForeignSessions& foreign() const noexcept { return foreign_; }
  [[nodiscard]] NatSource& source() noexcept { return source_; }
  [[nodiscard]] NatSink& sink() noexcept { return sink_; }

 private:
  NatReplication(std::size_t workers, std::size_t sessions, const std::array<std::uint8_t, 32>& key);

  std::vector<std::unique_ptr<NatEvents>> events_;
  std::vector<NatEvents*> views_;
  ForeignSessions foreign_;
  NatSource source_;
  NatSink sink_;
};

}  // namespace penstock

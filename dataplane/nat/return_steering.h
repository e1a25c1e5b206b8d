// Which worker an answer arrives at, which the gateway decides when it chooses the source port: the NIC
// hashes the answer's addresses and ports (RSS).
#pragma once

#include "dataplane/nat/nat_tuple.h"

namespace penstock {

/// Of one worker. Any number of threads; asked once per new flow.
class ReturnSteering {
 public:
  virtual ~ReturnSteering() = default;

  /// answer: B:b -> N:n. Changes n, as little as it can, so that such packets arrive at this worker. The new
  /// n may be any number, one that is in use included.
  virtual void adjust(NatTuple& answer) const noexcept = 0;
};

}  // namespace penstock

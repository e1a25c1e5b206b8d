// A veth pair in a network namespace of its own: one end for the gateway, a raw socket on the other.
#pragma once

#include <string>
#include <vector>

#include "tests/conformance/table.h"

namespace penstock::conformance {

/// Moves this process into a new network namespace, which ends with it. Throws std::runtime_error.
class Wire {
 public:
  static constexpr const char* kGatewayEnd = "gw0";

  Wire();
  ~Wire();
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  /// The kernel carries no frame shorter than its Ethernet header, and takes one VLAN tag off on the way.
  void send(const Bytes& frame) const;
  /// The next frame that has come from the gateway, its VLAN tags where they belong; empty when none comes in
  /// time.
  [[nodiscard]] Bytes receive(int timeout_ms) const;

 private:
  int fd_ = -1;
};

}  // namespace penstock::conformance

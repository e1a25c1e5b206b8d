// The gateway's own addresses and ports that NAT sends from.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "dataplane/nat/foreign_sessions.h"
#include "dataplane/nat/nat_table.h"
#include "dataplane/nat/return_steering.h"
#include "penstock/net/addr.h"

namespace penstock {

inline constexpr std::uint16_t kFirstNatPort = 1024;
inline constexpr std::uint16_t kLastNatPort = 65535;

/// One per worker; immutable.
class SourcePorts {
 public:
  /// steering: null if every answer arrives at this worker; otherwise it must outlive this.
  /// foreign: null, or where ports are in use as well: by sessions that another gateway goes on with.
  explicit SourcePorts(std::span<const IpAddr> addresses, const ReturnSteering* steering = nullptr,
                       std::uint16_t first_port = kFirstNatPort, std::uint16_t last_port = kLastNatPort,
                       const ForeignSessions* foreign = nullptr);

  /// Completes B:b -> N:n of a new flow. answer: source, source_port, protocol and v6 are set. hash: of the
  /// flow, decides where the search begins. No room if none of the ports that it looks at is free, which are
  /// all of them in a small range and kAttempts in a large one: with nine of ten ports towards one backend
  /// taken, one flow in a million fails per address.
  [[nodiscard]] bool choose(NatTable& table, std::uint64_t hash, NatTuple& answer) const noexcept;

 private:
  static constexpr std::uint32_t kAttempts = 128;

  [[nodiscard]] bool choose_of(NatTable& table, std::uint64_t hash, const IpAddr& address,
                               NatTuple& answer) const noexcept;

  [[nodiscard]] bool is_free(NatTable& table, const NatTuple& answer) const noexcept;

  std::vector<IpAddr> v4_;
  std::vector<IpAddr> v6_;
  const ReturnSteering* steering_;
  const ForeignSessions* foreign_;
  std::uint32_t first_;
  std::uint32_t count_;
};

}  // namespace penstock

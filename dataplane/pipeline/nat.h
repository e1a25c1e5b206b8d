// Services in NAT mode: full address and port translation of both directions, with the pieces of
// dataplane/nat.
//
//   client C:c -> VIP:v   becomes   N:n -> B:b    N: one of the gateway's NAT addresses, n: chosen here
//   answer B:b -> N:n     becomes   VIP:v -> C:c
//
// The families of client and backend need not be the same (NAT64, NAT46). An answer leaves the way that the
// client's last packet came: same port, same VLAN tags, MAC addresses exchanged; no route is looked up. ICMP
// errors of either side reach the other one in the name of VIP or NAT address, so that they get through
// whatever filters there are and the inside of the network stays inside. Fragments are not translated.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/nat/icmp_error.h"
#include "dataplane/nat/nat_table.h"
#include "dataplane/nat/return_steering.h"
#include "dataplane/nat/source_ports.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/vlan.h"
#include "penstock/base/units.h"

namespace penstock {

struct NatSettings {
  std::vector<IpAddr> addresses;             // the gateway's own that NAT sends from
  std::size_t flows = 0;                     // of one worker; 0: no NAT
  std::array<std::uint8_t, 32> key{};        // random, for the session table
  std::vector<std::uint16_t> port_mtus;      // by position of the port; 1500 for those beyond the end
  const ReturnSteering* steering = nullptr;  // of this worker; null: every answer arrives at it
  std::uint16_t first_port = kFirstNatPort;
  std::uint16_t last_port = kLastNatPort;
};

/// What one worker keeps for NAT. Not thread-safe. A packet's outcome is final afterwards.
class Nat {
 public:
  explicit Nat(const NatSettings& settings);

  /// A client's packet to p.service, with its hash; or an ICMP error about an answer of that service.
  /// vlan_rules: by egress port, for the tags that it came with.
  void settle_client(const Snapshot& snapshot, std::span<const VlanRule> vlan_rules, PacketView& p,
                     Nanoseconds now) noexcept;

  /// A packet to one of the NAT addresses.
  void settle_answer(const Snapshot& snapshot, PacketView& p, Nanoseconds now) noexcept;

  [[nodiscard]] const NatTable& table() const noexcept { return table_; }

 private:
  Outcome pass_client(const Snapshot& snapshot, PacketView& p) noexcept;
  Outcome pass_answer(const Snapshot& snapshot, PacketView& p) noexcept;
  Outcome translate_client(const Snapshot& snapshot, NatSession& session, IpPacket& packet,
                           PacketView& p) noexcept;
  Outcome translate_answer(NatSession& session, IpPacket& packet, PacketView& p) noexcept;
  Outcome pass_client_error(const Snapshot& snapshot, IpPacket& error, PacketView& p) noexcept;
  Outcome pass_answer_error(const Snapshot& snapshot, IpPacket& error, PacketView& p) noexcept;
  NatSession* find_client(const Snapshot& snapshot, const NatTuple& tuple, std::uint8_t flags,
                          ServiceIndex service) noexcept;
  NatSession* find_answer(const Snapshot& snapshot, const NatTuple& tuple) noexcept;
  Outcome open(const Snapshot& snapshot, const NatTuple& tuple, PacketView& p, NatSession*& session) noexcept;
  [[nodiscard]] std::uint32_t client_mtu(const NatSession& session) const noexcept;

  NatTable table_;
  SourcePorts ports_;
  std::vector<std::uint16_t> port_mtus_;
  std::uint16_t identification_ = 0;  // of the next IPv4 packet made from an IPv6 one
};

}  // namespace penstock

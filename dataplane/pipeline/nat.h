// Services in NAT mode: full address and port translation of both directions, with the pieces of
// dataplane/nat.
//
//   client C:c -> VIP:v   becomes   N:n -> B:b    N: one of the gateway's NAT addresses, n: chosen here
//   answer B:b -> N:n     becomes   VIP:v -> C:c
//
// The families of client and backend need not be the same (NAT64, NAT46). An answer leaves the way that the
// client's last packet came: same port, same VLAN tags, MAC addresses exchanged; no route is looked up. A
// session that another gateway has opened keeps that gateway's N:n here (nat_sharing.h); until its client has
// sent something, answers leave the way that the last packet of any client came: by the router, mostly. ICMP
// errors of either side reach the other one in the name of VIP or NAT address, so that they get through
// whatever filters there are and the inside of the network stays inside. Fragments are not translated.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/config/snapshot.h"
#include "dataplane/nat/icmp_error.h"
#include "dataplane/nat/nat_table.h"
#include "dataplane/nat/return_steering.h"
#include "dataplane/nat/source_ports.h"
#include "dataplane/pipeline/nat_sharing.h"
#include "dataplane/pipeline/packet.h"
#include "dataplane/pipeline/selection.h"
#include "dataplane/pipeline/vlan.h"
#include "penstock/base/units.h"

namespace penstock {

struct NatSettings {
  std::vector<IpAddr> addresses;  // the gateway's own that NAT sends from
  /// Of peers, whose answers are translated here when they come here; nothing is opened from them.
  std::vector<IpAddr> backup_addresses;
  std::size_t flows = 0;                     // of one worker; 0: no NAT
  std::array<std::uint8_t, 32> key{};        // random, for the session table
  std::vector<std::uint16_t> port_mtus;      // by position of the port; 1500 for those beyond the end
  const ReturnSteering* steering = nullptr;  // of this worker; null: every answer arrives at it
  std::uint16_t first_port = kFirstNatPort;
  std::uint16_t last_port = kLastNatPort;
  NatEvents* events = nullptr;               // of this worker: where it tells of its sessions
  const ForeignSessions* foreign = nullptr;  // what other gateways have told
  NatSharing::UnixMs unix_ms = nullptr;      // null: the system's clock

  /// All addresses that answers come to.
  [[nodiscard]] std::vector<IpAddr> answered_addresses() const {
    std::vector<IpAddr> all = addresses;
    all.insert(all.end(), backup_addresses.begin(), backup_addresses.end());
    return all;
  }
};

/// What one worker keeps for NAT. Not thread-safe. A packet's outcome is final afterwards.
class Nat {
 public:
  explicit Nat(const NatSettings& settings);

  /// Once a burst, before its packets, and while there are none. idle: there is time for more of the sweep.
  void advance(const Snapshot& snapshot, Nanoseconds now, bool idle) noexcept;

  /// A client's packet to p.service, with its hash; or an ICMP error about an answer of that service.
  /// vlan_rules: by egress port, for the tags that it came with.
  void settle_client(const Selection& selection, std::span<const VlanRule> vlan_rules,
                     PacketView& p) noexcept;

  /// A packet to one of the NAT addresses.
  void settle_answer(const Snapshot& snapshot, PacketView& p) noexcept;

  [[nodiscard]] const NatTable& table() const noexcept { return table_; }
  /// Sessions that were taken over from other gateways.
  [[nodiscard]] std::uint64_t adopted() const noexcept {
    return sharing_ == nullptr ? 0 : sharing_->adopted();
  }

 private:
  Outcome pass_client(const Selection& x, PacketView& p) noexcept;
  Outcome pass_answer(const Snapshot& snapshot, PacketView& p) noexcept;
  Outcome translate_client(const Snapshot& snapshot, NatSession& session, IpPacket& packet,
                           PacketView& p) noexcept;
  Outcome translate_answer(NatSession& session, IpPacket& packet, PacketView& p) noexcept;
  Outcome pass_client_error(const Selection& x, IpPacket& error, PacketView& p) noexcept;
  Outcome pass_answer_error(const Snapshot& snapshot, IpPacket& error, PacketView& p) noexcept;
  NatSession* find_client(const Selection& x, const NatTuple& tuple, std::uint8_t flags,
                          ServiceIndex service) noexcept;
  bool begins_anew(const Selection& x, NatSession& session) noexcept;
  NatSession* find_answer(const Snapshot& snapshot, const NatTuple& tuple) noexcept;
  /// The drain of the session's backend is over: a connection is reset, datagrams get another backend and
  /// session. kPending: the packet goes on to session->backend.
  Outcome end(const Selection& x, const NatTuple& tuple, PacketView& p, NatSession*& session) noexcept;
  Outcome open(const Selection& x, const NatTuple& tuple, PacketView& p, NatSession*& session) noexcept;
  [[nodiscard]] std::uint32_t client_mtu(const NatSession& session) const noexcept;

  void tell_news(const NatSession& session, const NatNews& before) noexcept {
    if (sharing_ != nullptr && !(NatNews(session) == before)) sharing_->tell(session);
  }

  std::unique_ptr<NatSharing> sharing_;  // null: with nobody
  NatTable table_;
  SourcePorts ports_;
  std::vector<std::uint16_t> port_mtus_;
  ClientPath last_path_;              // of any client
  std::uint16_t identification_ = 0;  // of the next IPv4 packet made from an IPv6 one
};

}  // namespace penstock

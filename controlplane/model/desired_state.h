// The desired state of a site: what the operator asked for, and nothing that was observed. Values and rules
// only; reading and writing JSON is service_document.h and gateway_document.h, persistence is store/.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/model/health.h"
#include "controlplane/model/weight_policy.h"
#include "penstock/config/limits.h"
#include "penstock/config/vip_key.h"

namespace penstock {

enum class Encap : std::uint8_t { kGue, kIpip, kGre, kVxlan, kL2dsr, kNat };

/// What becomes of a packet that, encapsulated, exceeds the MTU towards its backend.
enum class TooBig : std::uint8_t {
  kReply,     // fragmentation needed or packet too big to the sender
  kFragment,  // the outer packet is fragmented
};

/// What becomes of the flows that a drained backend still has at its deadline.
enum class DrainPolicy : std::uint8_t {
  kKeep,   // they stay until they end; the deadline is only what the operator hopes for
  kReset,  // TCP clients get a reset, other flows are forgotten; the dataplanes do so by their own clocks
};

/// Which packets without a flow entry may be passed on from backend to backend until one knows their flow.
enum class SecondChance : std::uint8_t {
  kTcp,  // TCP packets that do not begin a connection
  kOff,
  kTcpAndUdp,  // UDP, too
};

/// One server address of a service.
struct Backend {
  std::string id;            // unique within its service
  IpAddr address;            // need not be of the VIP's family
  std::uint32_t weight = 1;  // 0–kMaxWeight, relative, unitless; 0 gets no new flow
  bool drain = false;        // no new flow, established flows stay
  std::uint16_t port = 0;    // kNat: where it listens; 0 = the packet's own destination port
  MacAddr mac{};             // kVxlan: destination of the inner Ethernet header
  std::vector<std::uint8_t> quic_server_id{};     // what the server encodes in its connection IDs
  std::uint64_t drain_deadline = 0;               // with drain: Unix time in seconds; 0 = none
  DrainPolicy drain_policy = DrainPolicy::kKeep;  // kReset needs a deadline
  bool maintenance = false;                       // no new flow, whatever anybody finds out; no slot moves
  std::optional<std::uint32_t> weight_override{};  // 0–kMaxWeight: instead of `weight`, and of what a policy makes of it

  bool operator==(const Backend&) const = default;
};

/// How packets travel to the backends, beyond the encapsulation's name.
struct Forwarding {
  bool udp_checksum = false;             // kGue, kVxlan
  std::optional<std::uint32_t> gre_key;  // kGre, RFC 2890
  std::uint32_t vxlan_vni = 0;           // kVxlan: 1–kMaxVxlanVni
  TooBig too_big = TooBig::kReply;       // not kL2dsr, not kNat
  bool proxy_protocol = false;           // kNat of TCP: version 2 tells the client's address

  bool operator==(const Forwarding&) const = default;
};

/// All flows of one source prefix go to one backend. Bits; 0 = that family by flow.
struct SourceAffinity {
  std::uint8_t ipv4_prefix = 0;
  std::uint8_t ipv6_prefix = 0;

  bool operator==(const SourceAffinity&) const = default;
};

using QuicKey = std::array<std::uint8_t, kQuicKeyBytes>;

/// Routable connection IDs, draft-ietf-quic-load-balancers: what one value of the rotation bits means.
struct QuicConfig {
  std::uint8_t rotation = 0;
  std::uint8_t server_id_length = 0;
  std::uint8_t nonce_length = 0;
  std::optional<QuicKey> key;  // AES-128, a secret; none: in the clear

  bool operator==(const QuicConfig&) const = default;
};

struct IdleTimeouts {
  std::uint32_t tcp_syn_seconds = 10;
  std::uint32_t tcp_established_seconds = 900;
  std::uint32_t tcp_closing_seconds = 30;
  std::uint32_t udp_seconds = 60;

  bool operator==(const IdleTimeouts&) const = default;
};

struct Service {
  std::string id;
  VipKey key;
  Encap encap = Encap::kGue;
  std::uint32_t table_size = 0;  // Maglev slots, a prime; 0 = by the number of backends
  IdleTimeouts idle_timeouts;
  std::vector<Backend> backends;
  Forwarding forwarding;
  SourceAffinity affinity;
  std::vector<QuicConfig> quic;                     // empty: not by connection ID
  bool one_shot = false;                            // UDP: each datagram by itself, without a flow entry
  SecondChance second_chance = SecondChance::kTcp;  // kGue; other services never have one
  Health health;
  std::string policy = kStaticPolicy;  // the id of the one that makes its weights
  Workload workload;
  Preference preference;

  bool operator==(const Service&) const = default;
};

/// How fast the routers notice that a gateway is dead; the routing daemon's profiles of these names.
enum class BfdProfile : std::uint8_t { kDefault, kFast, kNormal };

/// How one VIP is announced by one gateway.
struct VipPolicy {
  std::optional<std::uint32_t> med{};  // instead of the gateway's
  bool drain = false;                  // with the graceful-shutdown community, RFC 8326
  bool withhold = false;               // not at all

  bool operator==(const VipPolicy&) const = default;
};

/// Asks for one restart of the dataplane. A gateway carries out each id once and remembers it, so the request
/// stays where it is and may be sent again.
struct UpgradeRequest {
  std::uint32_t id = 0;                     // from 1; grows with every request
  std::uint32_t drain_timeout_seconds = 0;  // 0 = the gateway's default, 30

  bool operator==(const UpgradeRequest&) const = default;
};

/// What the operator decided about a gateway. Gateways without one announce.
struct GatewayPolicy {
  std::string id;
  bool announce = true;
  std::uint32_t med = 0;             // 0–kMaxMed, the lower the better; equal ones share the traffic
  std::uint32_t bandwidth_mbps = 0;  // 1–kMaxBandwidthMbps: its share of the ECMP; 0 = none is announced
  BfdProfile bfd_profile = BfdProfile::kDefault;
  std::map<std::string, VipPolicy, std::less<>> vips{};  // by VipPrefix::text()
  std::uint32_t drain_timeout_seconds = 0;  // without announce: withdraw at the latest then; 0 = 30
  std::optional<UpgradeRequest> upgrade{};

  bool operator==(const GatewayPolicy&) const = default;
};

/// An immutable generation of everything. Services are shared between generations, so that a change of one
/// service copies pointers and not 100,000 backends.
struct DesiredState {
  /// Names the store that numbers the generations; random, 1–2^53−1 so that every JSON reader holds it
  /// exactly.
  std::uint64_t epoch = 0;
  /// Grows by one with every accepted write. 0: nothing was ever written, so there is no opinion to act on.
  std::uint64_t generation = 0;
  std::array<std::uint8_t, kHashKeyBytes> hash_key{};
  std::map<std::string, std::shared_ptr<const Service>, std::less<>> services;
  std::map<std::string, GatewayPolicy, std::less<>> gateways;
  std::map<std::string, WeightPolicy, std::less<>> policies;  // without the built-in ones
};

/// One accepted write: what it puts and what it deletes, all or nothing.
struct Change {
  std::vector<std::shared_ptr<const Service>> put_services;
  std::vector<std::string> delete_services;
  std::vector<GatewayPolicy> put_gateways;
  std::vector<std::string> delete_gateways;
  std::vector<WeightPolicy> put_policies{};
  std::vector<std::string> delete_policies{};
};

/// `state` after `change`, one generation later. Deletions come first.
[[nodiscard]] DesiredState apply(const DesiredState& state, const Change& change);

/// Built in or of `state`; null when there is none of this id.
[[nodiscard]] const WeightPolicy* find_policy(const DesiredState& state, std::string_view id);

}  // namespace penstock

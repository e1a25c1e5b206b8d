// The desired state of a site: what the operator asked for, and nothing that was observed. Values and rules
// only; reading and writing JSON is service_document.h, persistence is store/.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/config/limits.h"
#include "penstock/config/vip_key.h"

namespace penstock {

enum class Encap : std::uint8_t { kGue, kIpip, kGre, kVxlan, kL2dsr, kNat };

/// What becomes of a packet that, encapsulated, exceeds the MTU towards its backend.
enum class TooBig : std::uint8_t {
  kReply,     // fragmentation needed or packet too big to the sender
  kFragment,  // the outer packet is fragmented
};

/// One server address of a service.
struct Backend {
  std::string id;            // unique within its service
  IpAddr address;            // need not be of the VIP's family
  std::uint32_t weight = 1;  // 0–kMaxWeight, relative, unitless; 0 gets no new flow
  bool drain = false;        // no new flow, established flows stay
  std::uint16_t port = 0;    // kNat: where it listens; 0 = the packet's own destination port
  MacAddr mac{};             // kVxlan: destination of the inner Ethernet header
  std::vector<std::uint8_t> quic_server_id{};  // what the server encodes in its connection IDs

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
  std::vector<QuicConfig> quic;  // empty: not by connection ID
  bool one_shot = false;         // UDP: each datagram by itself, without a flow entry

  bool operator==(const Service&) const = default;
};

/// What the operator decided about a gateway. Gateways without one announce.
struct GatewayPolicy {
  std::string id;
  bool announce = true;

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
};

/// One accepted write: what it puts and what it deletes, all or nothing.
struct Change {
  std::vector<std::shared_ptr<const Service>> put_services;
  std::vector<std::string> delete_services;
  std::vector<GatewayPolicy> put_gateways;
  std::vector<std::string> delete_gateways;
};

/// `state` after `change`, one generation later. Deletions come first.
[[nodiscard]] DesiredState apply(const DesiredState& state, const Change& change);

}  // namespace penstock

// The validated configuration: what a DataplaneConfig means once every field has been checked.
// Off the hot path; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/config/health_document.h"
#include "penstock/base/result.h"
#include "penstock/config/limits.h"
#include "penstock/config/vip_key.h"

namespace penstock::proto {
class DataplaneConfig;
class Service;
}  // namespace penstock::proto

namespace penstock {

enum class Encap : std::uint8_t {
  kGue,    // UDP 6080, penstock/abi/gue.h
  kIpip,   // RFC 2003 (4in4), 4213 (6in4), 2473 (4in6, 6in6)
  kGre,    // RFC 2784, 2890
  kVxlan,  // RFC 7348
  kL2dsr,  // the destination MAC only
  kNat,    // full NAT; answers return through the gateway
};

enum class TooBig : std::uint8_t { kReply, kFragment };

/// Which packets without a flow entry carry hops. GUE only; elsewhere it is kTcp and means nothing.
enum class SecondChance : std::uint8_t { kTcp, kOff, kTcpAndUdp };

/// How packets travel to the backends, beyond the encapsulation's name. Validation has seen to it that only
/// what the encapsulation knows is set.
struct ForwardingDocument {
  bool udp_checksum = false;
  std::optional<std::uint32_t> gre_key;
  std::uint32_t vxlan_vni = 0;
  TooBig too_big = TooBig::kReply;
  bool proxy_protocol = false;

  bool operator==(const ForwardingDocument&) const = default;
};

/// Prefix lengths of a client's address that keep it on one backend; 0 = by flow.
struct AffinityDocument {
  std::uint8_t ipv4_prefix = 0;
  std::uint8_t ipv6_prefix = 0;

  bool operator==(const AffinityDocument&) const = default;
};

/// One configuration of routable connection IDs (draft-ietf-quic-load-balancers).
struct QuicLbDocument {
  std::uint8_t rotation = 0;                        // 0-6
  std::uint8_t server_id_length = 0;                // 1-15
  std::uint8_t nonce_length = 0;                    // 4-18
  std::optional<std::array<std::uint8_t, 16>> key;  // AES-128; none: in the clear

  bool operator==(const QuicLbDocument&) const = default;
};

struct BackendDocument {
  std::string id;
  IpAddr address;
  std::uint32_t weight = 1;  // 0-1000, relative; 0 gets no new flow
  bool drain = false;
  std::uint16_t port = 0;                      // kNat; 0 = the packet's own destination port
  MacAddr mac{};                               // kVxlan: destination of the inner Ethernet header
  std::string quic_server_id{};                // octets
  std::uint64_t reset_after_unix_seconds = 0;  // of a drained one: what is left then is reset; 0 = kept

  bool maintenance = false;  // no new flow; its slots stay where they are

  bool drain_over = false;  // that time has come; not of the document: whoever compiles it says so

  [[nodiscard]] bool drain_ends_at(std::uint64_t unix_seconds) const {
    return drain && reset_after_unix_seconds != 0 && reset_after_unix_seconds <= unix_seconds;
  }
  [[nodiscard]] std::uint32_t effective_weight() const { return drain ? 0 : weight; }
  bool operator==(const BackendDocument&) const = default;
};

struct IdleTimeoutSeconds {
  std::uint32_t tcp_syn = 10;
  std::uint32_t tcp_established = 900;
  std::uint32_t tcp_closing = 30;
  std::uint32_t udp = 60;

  bool operator==(const IdleTimeoutSeconds&) const = default;
};

struct ServiceDocument {
  std::string id;
  VipKey key;
  Encap encap = Encap::kGue;
  std::vector<BackendDocument> backends;
  std::uint32_t table_size = 0;  // Maglev slots, a prime; never 0 after validation
  IdleTimeoutSeconds idle;
  ForwardingDocument forwarding;
  AffinityDocument affinity;
  std::vector<QuicLbDocument> quic;  // empty: not by connection ID
  bool one_shot = false;             // UDP: no flow entries
  SecondChance second_chance = SecondChance::kTcp;
  HealthDocument health{};
  bool weights_follow_load =
      false;  // others lie over the configured ones (dataplane/control/weight_overlay.h)

  /// Whether its packets in the middle of a flow that has no entry carry hops.
  [[nodiscard]] bool has_hops() const {
    if (encap != Encap::kGue || second_chance == SecondChance::kOff) return false;
    return key.protocol == kProtoTcp ||
           (key.protocol == kProtoUdp && second_chance == SecondChance::kTcpAndUdp);
  }

  bool operator==(const ServiceDocument&) const = default;
};

struct Document {
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;
  std::array<std::uint8_t, kHashKeyBytes> hash_key{};
  std::vector<ServiceDocument> services;
};

/// Either `problems` is empty and `document` is whole, or the configuration is refused.
struct Validation {
  Document document;
  std::vector<Error> problems;  // every problem found, each with its field

  [[nodiscard]] bool ok() const { return problems.empty(); }
};

/// Checks everything that can be checked without the network: ranges (penstock/config/limits.h), addresses,
/// enums, ids, that every field belongs to its encapsulation and protocol, that no two services share a key
/// or overlap in their port ranges, no backend lies in a VIP, and tables have a prime size that holds their
/// backends. A service whose backends are all drained or weigh 0 is valid: it refuses new flows
/// (Outcome::kNoBackendLeft) and keeps the established ones.
[[nodiscard]] Validation validate(const proto::DataplaneConfig& config);

}  // namespace penstock

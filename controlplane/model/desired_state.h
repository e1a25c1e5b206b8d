// The desired state of a site: what the operator asked for, and nothing that was observed. Values and rules
// only; reading and writing JSON is service_document.h, persistence is store/.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "penstock/config/limits.h"
#include "penstock/config/vip_key.h"

namespace penstock {

enum class Encap : std::uint8_t { kGue, kIpip };

/// One server address of a service.
struct Backend {
  std::string id;            // unique within its service
  IpAddr address;            // need not be of the VIP's family
  std::uint32_t weight = 1;  // 0–kMaxWeight, relative, unitless; 0 gets no new flow
  bool drain = false;        // no new flow, established flows stay

  bool operator==(const Backend&) const = default;
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

// The validated configuration: what a DataplaneConfig means once every field has been checked.
// Off the hot path; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/config/limits.h"
#include "penstock/config/vip_key.h"

namespace penstock::proto {
class DataplaneConfig;
}

namespace penstock {

enum class Encap : std::uint8_t {
  kGue,   // UDP 6080, penstock/abi/gue.h
  kIpip,  // RFC 2003 (4in4), 4213 (6in4), 2473 (4in6, 6in6)
};

struct BackendDocument {
  std::string id;
  IpAddr address;
  std::uint32_t weight = 1;  // 0-1000, relative; 0 gets no new flow
  bool drain = false;

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
/// enums, ids, and that no two services share a key, no VIP is a backend, and tables have a prime size that
/// holds their backends. A service whose backends are all drained or weigh 0 is valid: it refuses new flows
/// (Outcome::kNoBackendLeft) and keeps the established ones.
[[nodiscard]] Validation validate(const proto::DataplaneConfig& config);

}  // namespace penstock

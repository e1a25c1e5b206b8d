// One local check and the service it belongs to, as the directive said and after validation: nothing in here
// is left to its default. Values that compare equal are the same check, and keep their state when a directive
// changes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "penstock/config/vip_key.h"
#include "penstock/net/addr.h"

namespace penstock {

enum class CheckKind : std::uint8_t {
  kUnsupported,  // a kind of a newer control plane, or one check too many: never run, UNCHECKED for ever
  kTcp,
  kHttp,
  kHttps,
  kGrpc,
  kUdp,
  kScript,
};

struct StatusRange {
  std::uint16_t first = 0;
  std::uint16_t last = 0;
  bool operator==(const StatusRange&) const = default;
};

struct ExpectedHeader {
  std::string name;
  std::string value;  // contained in the header's value; empty: the header is there
  bool operator==(const ExpectedHeader&) const = default;
};

struct CheckSpec {
  std::string name;
  CheckKind kind = CheckKind::kUnsupported;
  std::string problem;  // of kUnsupported: why it does not run

  std::string service;     // id
  IpAddr address;          // the VIP, of a prefix the first address; or the NAT target's
  bool prefix = false;     // `address` is not on the host by itself, but inside a local route
  std::uint16_t port = 0;  // 0 only for scripts

  std::string path;  // HTTP(S)
  std::string host;  // HTTP(S) and gRPC: Host, SNI, authority
  std::string method;
  std::vector<StatusRange> statuses;
  std::string body_contains;
  std::vector<ExpectedHeader> headers;
  bool verify_tls = false;
  std::string grpc_service;
  std::string send;  // UDP
  std::string expect;
  std::string script;  // file name

  std::uint32_t interval_ms = 0;
  std::uint32_t timeout_ms = 0;  // at most the interval
  std::uint32_t rise = 0;
  std::uint32_t fall = 0;
  std::uint32_t hold_ms = 0;
  std::uint32_t max_hold_ms = 0;  // at least hold_ms

  bool operator==(const CheckSpec&) const = default;
};

/// What is checked as one: a service of the directive, or a NAT target on this node.
struct CheckedService {
  VipKey key;  // of a NAT target: the node's address and the port where it listens
  bool nat = false;
  std::string service;  // id

  auto operator<=>(const CheckedService&) const = default;
};

struct ServiceChecks {
  CheckedService of;
  std::vector<CheckSpec> checks;  // at least one, names are unique

  bool operator==(const ServiceChecks&) const = default;
};

}  // namespace penstock

// Whom this gateway checks itself, and how: a running configuration by backends. Any thread, off the hot
// path.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dataplane/config/document.h"
#include "dataplane/config/snapshot.h"

namespace penstock {

/// Bytes of a request that fit into an own frame behind every encapsulation's headers.
inline constexpr std::size_t kMaxDirectRequest = 700;

struct DirectService {
  ServiceDocument service;  // without its backends
  DirectCheckDocument check;
  std::string request;  // what is sent: HTTP's bytes, or the datagram
  bool always = false;  // also backends that answer probes
  bool probed = false;  // its backends may answer probes, so they are waited for

  bool operator==(const DirectService&) const = default;
};

struct DirectTarget {
  BackendIndex backend = kNoBackend;
  std::uint32_t service = 0;  // position in the plan
  BackendDocument host;
  IpAddr address;  // where the packets go, encapsulation apart: the VIP, or with NAT the backend
  std::uint16_t port = 0;

  bool operator==(const DirectTarget&) const = default;
};

struct DirectPlan {
  std::vector<DirectService> services;
  std::vector<DirectTarget> targets;
};

/// Left out: services without a direct check, whose check has no one port, or whose request
/// is longer than kMaxDirectRequest; backends in maintenance. `snapshot` was compiled from `document`.
[[nodiscard]] DirectPlan make_direct_plan(const Document& document, const Snapshot& snapshot);

}  // namespace penstock

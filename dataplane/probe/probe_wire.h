// Probes as bytes (include/penstock/abi/probe.h). Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/probe/probe_plan.h"
#include "dataplane/probe/service_report.h"
#include "penstock/abi/probe.h"

namespace penstock {

/// The UDP payload: GUE header and message.
inline constexpr std::size_t kMaxProbeDatagram = sizeof(gue_header) + PENSTOCK_PROBE_MAX_BYTES;
using ProbeDatagram = std::array<std::uint8_t, kMaxProbeDatagram>;

struct ProbeRequest {
  std::uint8_t version = PENSTOCK_PROBE_VERSION;
  std::uint8_t sections = 0;  // wanted; none in version 1
  std::uint64_t nonce = 0;
  std::uint64_t sent_ns = 0;  // since 1970
};

struct ProbeReply {
  std::uint8_t version = 0;
  std::uint8_t sections = 0;  // present
  std::uint64_t nonce = 0;
  std::size_t service_count = 0;
  std::array<ServiceReport, PENSTOCK_PROBE_MAX_SERVICES> services{};
  std::optional<probe_host_load> host{};  // host order
};

/// Writes a request for 1-PENSTOCK_PROBE_MAX_SERVICES services, with room for what it wants, and returns its
/// length. Services of several ports, of a prefix, or neither of TCP nor UDP are asked for without a port, to
/// which the answer is "unknown".
std::size_t write_probe(const siphash_key& key, const ProbeRequest& request,
                        std::span<const ProbedService> services, ProbeDatagram& out);

/// Nothing when it is no reply of a version that we know. Believed only once is_authentic() says so.
[[nodiscard]] std::optional<ProbeReply> read_reply(std::span<const std::uint8_t> datagram);

/// Precondition: read_reply() took the datagram.
[[nodiscard]] bool is_authentic(const siphash_key& key, std::span<const std::uint8_t> datagram);

}  // namespace penstock

// Probes as bytes (include/penstock/abi/probe.h). Any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/probe/probe_plan.h"
#include "penstock/abi/probe.h"
#include "penstock/base/units.h"

namespace penstock {

/// The UDP payload: GUE header and message.
inline constexpr std::size_t kMaxProbeDatagram = sizeof(gue_header) + PENSTOCK_PROBE_MAX_BYTES;
using ProbeDatagram = std::array<std::uint8_t, kMaxProbeDatagram>;

enum class Listener : std::uint8_t {
  kUnknown = PENSTOCK_PROBE_UNKNOWN,
  kAbsent = PENSTOCK_PROBE_ABSENT,
  kPresent = PENSTOCK_PROBE_PRESENT,
};

struct ProbeReply {
  std::uint64_t nonce = 0;
  std::size_t service_count = 0;
  std::array<Listener, PENSTOCK_PROBE_MAX_SERVICES> listeners{};
};

/// Writes a request for 1-PENSTOCK_PROBE_MAX_SERVICES services and returns its length. Services of several
/// ports, of a prefix, or neither of TCP nor UDP are asked for without a port, to which the answer is
/// "unknown".
std::size_t write_probe(const siphash_key& key, std::uint64_t nonce, Nanoseconds now,
                        std::span<const ProbedService> services, ProbeDatagram& out);

/// Nothing when it is no reply of a version that we know. Believed only once is_authentic() says so.
[[nodiscard]] std::optional<ProbeReply> read_reply(std::span<const std::uint8_t> datagram);

/// Precondition: read_reply() took the datagram.
[[nodiscard]] bool is_authentic(const siphash_key& key, std::span<const std::uint8_t> datagram);

}  // namespace penstock

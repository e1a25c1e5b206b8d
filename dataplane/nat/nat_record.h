// A translated flow as gateways tell each other of it: all that another one needs to continue it with the
// same addresses and ports. Fixed layout on the wire, numbers in network order:
//
//    0  version, 1
//    1  protocol, 6 or 17
//    2  bit 0: the client's side is IPv6, bit 1: the backend's, bit 2: the PROXY header has been sent
//    3  NatPhase     4  sides that have sent FIN     5  ProxyStream::Phase     6  its length     7  0
//    8  ProxyStream::first, 4 bytes                 12  0, 4 bytes
//   16  name of service and backend                 24  when it was opened
//   32  C, VIP: 16 bytes each, IPv4 in the first four, the others zero
//   64  c, v: 2 bytes each                          68  0, 4 bytes
//   72  B, N                                       104  b, n                            108  0, 4 bytes
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <type_traits>

#include "dataplane/nat/nat_phase.h"
#include "dataplane/nat/nat_tuple.h"
#include "dataplane/nat/proxy_stream.h"

namespace penstock {

struct NatSessionRecord {
  static constexpr std::size_t kBytes = 112;
  static constexpr std::uint8_t kVersion = 1;

  NatTuple client;                 // C:c -> VIP:v
  NatTuple answer;                 // B:b -> N:n
  std::uint64_t backend_name = 0;  // XXH3-64 of service id, backend id and address (NatTarget::name)
  std::uint64_t opened_ms = 0;     // Unix time; of two sessions of one client's port the later is alive
  ProxyStream proxy;
  NatProgress progress;  // confirmed: others are nobody's business

  /// Not only the same tuples: a port that is used again is another session.
  [[nodiscard]] bool same_session(const NatSessionRecord& other) const noexcept {
    return opened_ms == other.opened_ms && client == other.client && answer == other.answer;
  }
};
static_assert(std::is_trivially_copyable_v<NatSessionRecord> && sizeof(NatSessionRecord) == 112,
              "copied word by word (foreign_sessions.h)");

void encode(const NatSessionRecord& record, std::span<std::byte, NatSessionRecord::kBytes> out) noexcept;

/// Nothing unless encode() makes exactly these bytes of a session that there can be.
[[nodiscard]] std::optional<NatSessionRecord> decode_nat_record(std::span<const std::byte> bytes) noexcept;

}  // namespace penstock

// What comes back to a direct check, as bytes that anybody may have sent. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/config/health_document.h"

namespace penstock {

struct TcpSegment {
  std::uint32_t sequence = 0;
  std::uint32_t acknowledgment = 0;
  std::uint8_t flags = 0;
  std::span<const std::uint8_t> payload{};  // points into what was read

  [[nodiscard]] bool has(std::uint8_t flag) const { return (flags & flag) != 0; }
};

/// Nothing: its header does not fit into `bytes`.
[[nodiscard]] std::optional<TcpSegment> read_tcp(std::span<const std::uint8_t> bytes);

/// Is this the begin of a response that the check wants? Status line, headers and body as far as they lie in
/// `bytes`, the first segment of the response.
[[nodiscard]] bool is_wanted_response(const DirectCheckDocument& check, std::span<const std::uint8_t> bytes);

/// A UDP datagram, its header included.
[[nodiscard]] bool is_wanted_datagram(const DirectCheckDocument& check, std::span<const std::uint8_t> bytes);

}  // namespace penstock

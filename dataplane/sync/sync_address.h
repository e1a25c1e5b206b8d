// IP:PORT, as written "192.0.2.1:6082" or "[2001:db8::1]:6082".
#pragma once

#include <compare>
#include <cstdint>
#include <string>

#include "penstock/base/result.h"
#include "penstock/net/addr.h"

namespace penstock {

struct SyncAddress {
  IpAddr address;
  std::uint16_t port = 0;

  /// One sentence without a field where it is not such an address, the port is 0, or no single host has it.
  static Result<SyncAddress> parse(const std::string& text);
  [[nodiscard]] std::string text() const;
  auto operator<=>(const SyncAddress&) const = default;
};

}  // namespace penstock

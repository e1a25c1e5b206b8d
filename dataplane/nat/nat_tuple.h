// What names one direction of a translated flow: addresses, ports and protocol as they lie in its packets.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>

#include "penstock/net/addr.h"
#include "penstock/net/byteorder.h"

namespace penstock {

struct NatTuple {
  std::array<std::uint8_t, 16> source{};  // IPv4 uses the first four bytes, the others stay zero
  std::array<std::uint8_t, 16> destination{};
  be16 source_port;
  be16 destination_port;
  std::uint8_t protocol = 0;  // kProtoTcp or kProtoUdp
  bool v6 = false;
  std::uint8_t unused[2] = {};

  [[nodiscard]] std::size_t address_bytes() const noexcept { return v6 ? 16 : 4; }

  void set_source(const IpAddr& address) noexcept { std::memcpy(source.data(), address.data(), 16); }
  void set_destination(const IpAddr& address) noexcept {
    std::memcpy(destination.data(), address.data(), 16);
  }

  /// That of a packet's answer.
  [[nodiscard]] NatTuple reversed() const noexcept {
    NatTuple out = *this;
    out.source = destination;
    out.destination = source;
    out.source_port = destination_port;
    out.destination_port = source_port;
    return out;
  }

  bool operator==(const NatTuple& other) const noexcept {
    return std::memcmp(this, &other, sizeof *this) == 0;
  }
};
static_assert(sizeof(NatTuple) == 40 && alignof(NatTuple) == 1, "hashed and compared as bytes: no padding");

}  // namespace penstock

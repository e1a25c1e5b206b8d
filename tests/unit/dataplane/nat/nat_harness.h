// The pipeline with NAT, and the addresses that its tests use.
#pragma once

#include <string>
#include <vector>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {

inline const char* client_of(bool v6) { return v6 ? "2001:db8:c11e::7" : "198.51.100.7"; }
inline const char* vip_of(bool v6) { return v6 ? "2001:db8:beef::10" : "203.0.113.10"; }
inline const char* nat_of(bool v6) { return v6 ? "2001:db8:ff::200" : "192.0.2.200"; }
inline const char* backend_of(bool v6) { return v6 ? "2001:db8:1::1" : "10.0.1.1"; }

/// Both families' NAT addresses, source ports first_port to last_port.
inline RareSettings nat_settings(std::uint16_t first_port = kFirstNatPort,
                                 std::uint16_t last_port = kLastNatPort, std::size_t flows = 1024) {
  RareSettings settings;
  settings.nat.addresses = {ip(nat_of(false)), ip(nat_of(true))};
  settings.nat.flows = flows;
  for (std::size_t i = 0; i < settings.nat.key.size(); ++i)
    settings.nat.key[i] = static_cast<std::uint8_t>(7 * i);
  settings.nat.first_port = first_port;
  settings.nat.last_port = last_port;
  return settings;
}

inline ServiceDocument nat_service(const std::string& id, bool client_v6, std::uint8_t protocol,
                                   std::uint16_t port, std::vector<BackendDocument> backends) {
  return service(id, vip_of(client_v6), protocol, port, Encap::kNat, std::move(backends));
}

inline BackendDocument nat_backend(const std::string& id, const std::string& address,
                                   std::uint16_t port = 0) {
  BackendDocument out{id, ip(address)};
  out.port = port;
  return out;
}

inline Bytes from_hex(const std::string& hex) {
  Bytes out;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}

inline std::string to_hex(const Bytes& bytes) {
  std::string out;
  for (const std::uint8_t b : bytes) {
    char text[3];
    std::snprintf(text, sizeof text, "%02x", b);
    out += text;
  }
  return out;
}

}  // namespace penstock::test

// Probes as a gateway writes them, for tests of who answers them and of who believes the answers.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "penstock/abi/probe.h"
#include "tests/unit/bpf/tunnel_packet.h"

namespace penstock {

struct AskedService {
  std::string vip;
  std::uint8_t protocol = 6;
  std::uint16_t port = 80;
};

inline siphash_key probe_key_of(std::uint8_t fill) {
  siphash_key key;
  std::memset(&key, fill, sizeof key);
  return key;
}

/// Over what precedes the MAC and what follows it.
inline std::uint64_t mac_of(const siphash_key& key, const Bytes& message) {
  Bytes covered(message.begin(), message.begin() + offsetof(probe_header, mac));
  covered.insert(covered.end(), message.begin() + sizeof(probe_header), message.end());
  return siphash(&key, covered.data(), covered.size());
}

inline void seal(const siphash_key& key, Bytes& message) {
  const std::uint64_t mac = mac_of(key, message);
  std::memcpy(message.data() + offsetof(probe_header, mac), &mac, sizeof mac);
}

inline Bytes probe_message(const siphash_key& key, std::uint64_t nonce,
                           const std::vector<AskedService>& services, std::size_t room = 0) {
  probe_header header{};
  header.version = PENSTOCK_PROBE_VERSION;
  header.kind = PENSTOCK_PROBE_REQUEST;
  header.service_count = static_cast<abi_u8>(services.size());
  const std::size_t length = sizeof header + services.size() * sizeof(probe_service) + room;
  header.length = htons(static_cast<std::uint16_t>(length));
  header.nonce = nonce;
  header.sent_ns = 0x1122334455667788;
  Bytes message(length);
  std::memcpy(message.data(), &header, sizeof header);
  for (std::size_t i = 0; i < services.size(); ++i) {
    probe_service service{};
    const Bytes address = bytes_of(services[i].vip);
    if (address.size() == 4) service.vip.bytes[10] = service.vip.bytes[11] = 0xff;
    std::memcpy(service.vip.bytes + (16 - address.size()), address.data(), address.size());
    service.port = htons(services[i].port);
    service.protocol = services[i].protocol;
    std::memcpy(message.data() + sizeof header + i * sizeof service, &service, sizeof service);
  }
  seal(key, message);
  return message;
}

inline Bytes probe_frame(const std::string& from, const std::string& to, const Bytes& message,
                         std::uint16_t from_port = 45000) {
  Bytes gue = {PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0, 0};
  append(gue, message);
  return framed(udp_packet(from, from_port, to, PENSTOCK_GUE_PORT, gue));
}

}  // namespace penstock

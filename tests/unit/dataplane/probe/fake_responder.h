// A backend host's answers to probes, in the test's own reading of include/penstock/abi/probe.h.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "penstock/abi/probe.h"

namespace penstock {

using Bytes = std::vector<std::uint8_t>;

inline constexpr std::size_t kMessageAt = sizeof(gue_header);

inline probe_header header_of(std::span<const std::uint8_t> datagram) {
  probe_header header;
  std::memcpy(&header, datagram.data() + kMessageAt, sizeof header);
  return header;
}

inline std::uint64_t mac_of(const siphash_key& key, std::span<const std::uint8_t> datagram) {
  const auto message = datagram.subspan(kMessageAt);
  Bytes covered(message.begin(), message.begin() + offsetof(probe_header, mac));
  covered.insert(covered.end(), message.begin() + sizeof(probe_header), message.end());
  return siphash(&key, covered.data(), covered.size());
}

inline void seal(const siphash_key& key, Bytes& datagram) {
  const std::uint64_t mac = mac_of(key, datagram);
  std::memcpy(datagram.data() + kMessageAt + offsetof(probe_header, mac), &mac, sizeof mac);
}

inline siphash_key key_of(std::uint8_t fill) {
  siphash_key key;
  std::memset(&key, fill, sizeof key);
  return key;
}

struct FakeResponder {
  std::vector<siphash_key> keys{};
  std::set<std::uint16_t> absent{};  // ports without a listener

  [[nodiscard]] std::optional<Bytes> answer(std::span<const std::uint8_t> request) const {
    for (const siphash_key& key : keys) {
      if (mac_of(key, request) != header_of(request).mac) continue;
      Bytes reply(request.begin(), request.end());
      reply[kMessageAt + 1] = PENSTOCK_PROBE_REPLY;
      for (std::size_t i = 0; i < header_of(request).service_count; ++i) {
        probe_service service;
        std::uint8_t* const at = reply.data() + kMessageAt + sizeof(probe_header) + i * sizeof service;
        std::memcpy(&service, at, sizeof service);
        service.listener = listener(ntohs(service.port));
        std::memcpy(at, &service, sizeof service);
      }
      seal(key, reply);
      return reply;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] std::uint8_t listener(std::uint16_t port) const {
    if (port == 0) return PENSTOCK_PROBE_UNKNOWN;
    return absent.contains(port) ? PENSTOCK_PROBE_ABSENT : PENSTOCK_PROBE_PRESENT;
  }
};

}  // namespace penstock

// A backend host's answers to probes, in the test's own reading of include/penstock/abi/probe.h.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
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

/// Bytes of header and services, where a request's room begins.
inline std::size_t room_at(std::span<const std::uint8_t> datagram) {
  return sizeof(probe_header) + header_of(datagram).service_count * sizeof(probe_service);
}

/// A request's room says nothing, and no MAC is over it.
inline std::uint64_t mac_of(const siphash_key& key, std::span<const std::uint8_t> datagram) {
  auto message = datagram.subspan(kMessageAt);
  if (header_of(datagram).kind == PENSTOCK_PROBE_REQUEST)
    message = message.first(std::min(message.size(), room_at(datagram)));
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
  std::set<std::uint16_t> absent{};                  // ports without a listener
  std::optional<probe_service_load> service_load{};  // network order, of every service; none: not known
  std::optional<probe_host_load> host_load{};        // network order
  std::uint8_t newest_version = PENSTOCK_PROBE_VERSION;

  [[nodiscard]] std::optional<Bytes> answer(std::span<const std::uint8_t> request) const {
    if (header_of(request).version > newest_version) return std::nullopt;
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
      fill_room(header_of(request), reply);
      seal(key, reply);
      return reply;
    }
    return std::nullopt;
  }

 private:
  void fill_room(const probe_header& request, Bytes& reply) const {
    std::uint8_t sections = 0;
    std::uint8_t* at = reply.data() + kMessageAt + room_at(reply);
    if (service_load && (request.sections & PENSTOCK_PROBE_SERVICE_LOADS) != 0) {
      sections |= PENSTOCK_PROBE_SERVICE_LOADS;
      for (std::size_t i = 0; i < request.service_count; ++i, at += sizeof *service_load)
        std::memcpy(at, &*service_load, sizeof *service_load);
    }
    if (host_load && (request.sections & PENSTOCK_PROBE_HOST_LOAD) != 0) {
      sections |= PENSTOCK_PROBE_HOST_LOAD;
      std::memcpy(at, &*host_load, sizeof *host_load);
    }
    reply[kMessageAt + offsetof(probe_header, sections)] = sections;
  }
  [[nodiscard]] std::uint8_t listener(std::uint16_t port) const {
    if (port == 0) return PENSTOCK_PROBE_UNKNOWN;
    return absent.contains(port) ? PENSTOCK_PROBE_ABSENT : PENSTOCK_PROBE_PRESENT;
  }
};

}  // namespace penstock

// Probes as a gateway writes them, for tests of who answers them and of who believes the answers.
#pragma once

#include <algorithm>
#include <cstring>
#include <ctime>
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

/// Over the first `length` bytes but the MAC itself.
inline std::uint64_t mac_over(const siphash_key& key, const Bytes& message, std::size_t length) {
  Bytes covered(message.begin(), message.begin() + offsetof(probe_header, mac));
  covered.insert(covered.end(), message.begin() + sizeof(probe_header),
                 message.begin() + static_cast<std::ptrdiff_t>(length));
  return siphash(&key, covered.data(), covered.size());
}

/// Of a reply, and of everything of version 1.
inline std::uint64_t mac_of(const siphash_key& key, const Bytes& message) {
  return mac_over(key, message, message.size());
}

/// As a gateway does: a request of version 2 says nothing by its room.
inline void seal(const siphash_key& key, Bytes& message) {
  const std::size_t named =
      std::min(message.size(), sizeof(probe_header) + message[2] * sizeof(probe_service));
  const std::uint64_t mac = mac_over(key, message, message[0] == 1 ? message.size() : named);
  std::memcpy(message.data() + offsetof(probe_header, mac), &mac, sizeof mac);
}

/// The time of day, newer with every call.
inline std::uint64_t next_probe_time() {
  static std::uint64_t last = 0;
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  last = std::max(last + 1, static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                                static_cast<std::uint64_t>(now.tv_nsec));
  return last;
}

struct Question {
  std::uint64_t nonce = 1;
  std::vector<AskedService> services;
  std::size_t room = 0;
  std::uint8_t sections = 0;
  std::uint8_t version = PENSTOCK_PROBE_VERSION;
  std::uint64_t sent_ns = next_probe_time();
};

inline Bytes probe_message(const siphash_key& key, const Question& q) {
  probe_header header{};
  header.version = q.version;
  header.kind = PENSTOCK_PROBE_REQUEST;
  header.service_count = static_cast<abi_u8>(q.services.size());
  header.sections = q.sections;
  const std::size_t length = sizeof header + q.services.size() * sizeof(probe_service) + q.room;
  header.length = htons(static_cast<std::uint16_t>(length));
  header.nonce = q.nonce;
  header.sent_ns = q.sent_ns;
  Bytes message(length);
  std::memcpy(message.data(), &header, sizeof header);
  for (std::size_t i = 0; i < q.services.size(); ++i) {
    probe_service service{};
    const Bytes address = bytes_of(q.services[i].vip);
    if (address.size() == 4) service.vip.bytes[10] = service.vip.bytes[11] = 0xff;
    std::memcpy(service.vip.bytes + (16 - address.size()), address.data(), address.size());
    service.port = htons(q.services[i].port);
    service.protocol = q.services[i].protocol;
    std::memcpy(message.data() + sizeof header + i * sizeof service, &service, sizeof service);
  }
  seal(key, message);
  return message;
}

inline Bytes probe_message(const siphash_key& key, std::uint64_t nonce,
                           const std::vector<AskedService>& services, std::size_t room = 0) {
  return probe_message(key, Question{.nonce = nonce, .services = services, .room = room});
}

inline Bytes probe_frame(const std::string& from, const std::string& to, const Bytes& message,
                         std::uint16_t from_port = 45000) {
  Bytes gue = {PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0, 0};
  append(gue, message);
  return framed(udp_packet(from, from_port, to, PENSTOCK_GUE_PORT, gue));
}

}  // namespace penstock

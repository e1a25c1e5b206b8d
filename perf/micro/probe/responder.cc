#include "perf/micro/probe/responder.h"

#include <algorithm>
#include <cstring>

#include "penstock/net/headers.h"

namespace penstock::perf {

void answer_probe(const siphash_key& key, std::span<std::uint8_t> frame) {
  constexpr std::size_t kIp = sizeof(EthernetHeader);
  const bool v6 = frame[kIp] >> 4 == 6;
  const std::size_t udp = kIp + (v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header));
  const std::size_t addresses = kIp + (v6 ? offsetof(Ipv6Header, source) : offsetof(Ipv4Header, source));
  const std::size_t size = v6 ? sizeof(Ipv6Addr) : sizeof(Ipv4Addr);
  const auto swap = [&](std::size_t at, std::size_t bytes) {
    std::swap_ranges(frame.data() + at, frame.data() + at + bytes, frame.data() + at + bytes);
  };
  swap(0, sizeof(MacAddr));
  swap(addresses, size);
  swap(udp, sizeof(be16));
  const auto message = frame.subspan(udp + sizeof(UdpHeader) + sizeof(gue_header));
  probe_header header;
  std::memcpy(&header, message.data(), sizeof header);
  message[offsetof(probe_header, kind)] = PENSTOCK_PROBE_REPLY;
  for (std::size_t i = 0; i < header.service_count; ++i) {
    message[sizeof header + i * sizeof(probe_service) + offsetof(probe_service, listener)] =
        PENSTOCK_PROBE_PRESENT;
  }
  siphash_state state;
  siphash_begin(&state, &key);
  for (std::size_t at = 0; at < message.size(); at += sizeof(abi_u64)) {
    if (at == offsetof(probe_header, mac)) continue;
    abi_u64 word;
    std::memcpy(&word, message.data() + at, sizeof word);
    siphash_add(&state, word);
  }
  const abi_u64 mac = siphash_end(&state, 0, message.size() - sizeof(abi_u64));
  std::memcpy(message.data() + offsetof(probe_header, mac), &mac, sizeof mac);
}

}  // namespace penstock::perf

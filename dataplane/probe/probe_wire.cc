#include "dataplane/probe/probe_wire.h"

#include <cstring>

#include "penstock/net/byteorder.h"

namespace penstock {
namespace {

abi_address to_abi(const IpAddr& address) {
  abi_address out{};
  if (address.is_v4()) out.bytes[10] = out.bytes[11] = 0xff;
  std::memcpy(out.bytes + (sizeof out.bytes - address.size()), address.data(), address.size());
  return out;
}

probe_service to_abi(const VipKey& key) {
  probe_service out{};
  out.vip = to_abi(key.vip);
  out.protocol = key.protocol;
  if (key.is_one_port() && !key.is_prefix()) out.port = be16(key.port).raw();
  return out;
}

/// Of a message of whole words: what precedes the MAC, and what follows it.
std::uint64_t mac_of(const siphash_key& key, std::span<const std::uint8_t> message) {
  siphash_state state;
  siphash_begin(&state, &key);
  for (std::size_t at = 0; at + 8 <= message.size(); at += 8) {
    if (at == offsetof(probe_header, mac)) continue;
    abi_u64 word;
    std::memcpy(&word, message.data() + at, sizeof word);
    siphash_add(&state, word);
  }
  return siphash_end(&state, 0, message.size() - sizeof(abi_u64));
}

std::uint64_t little_endian(std::uint64_t value) { return PENSTOCK_SIPHASH_WORD(value); }

}  // namespace

std::size_t write_probe(const siphash_key& key, std::uint64_t nonce, Nanoseconds now,
                        std::span<const ProbedService> services, ProbeDatagram& out) {
  const gue_header gue{PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0};
  probe_header header{};
  const std::size_t length = sizeof header + services.size() * sizeof(probe_service);
  header.version = PENSTOCK_PROBE_VERSION;
  header.kind = PENSTOCK_PROBE_REQUEST;
  header.service_count = static_cast<abi_u8>(services.size());
  header.length = be16(static_cast<std::uint16_t>(length)).raw();
  header.nonce = little_endian(nonce);
  header.sent_ns = little_endian(now.count());
  std::uint8_t* const message = out.data() + sizeof gue;
  std::memcpy(out.data(), &gue, sizeof gue);
  std::memcpy(message, &header, sizeof header);
  for (std::size_t i = 0; i < services.size(); ++i) {
    const probe_service service = to_abi(services[i].key);
    std::memcpy(message + sizeof header + i * sizeof service, &service, sizeof service);
  }
  const std::uint64_t mac = little_endian(mac_of(key, {message, length}));
  std::memcpy(message + offsetof(probe_header, mac), &mac, sizeof mac);
  return sizeof gue + length;
}

std::optional<ProbeReply> read_reply(std::span<const std::uint8_t> datagram) {
  gue_header gue;
  probe_header header;
  if (datagram.size() < sizeof gue + sizeof header || datagram.size() > kMaxProbeDatagram)
    return std::nullopt;
  std::memcpy(&gue, datagram.data(), sizeof gue);
  std::memcpy(&header, datagram.data() + sizeof gue, sizeof header);
  const auto message = datagram.subspan(sizeof gue);
  if (gue.version_control_hlen != PENSTOCK_GUE_CONTROL || gue.protocol != PENSTOCK_GUE_CONTROL_PROBE ||
      gue.flags != 0)
    return std::nullopt;
  if (header.version != PENSTOCK_PROBE_VERSION || header.kind != PENSTOCK_PROBE_REPLY) return std::nullopt;
  if (header.service_count == 0 || header.service_count > PENSTOCK_PROBE_MAX_SERVICES) return std::nullopt;
  if (be16::from_raw(header.length).host() != message.size() || message.size() % 8 != 0 ||
      message.size() < sizeof header + header.service_count * sizeof(probe_service)) {
    return std::nullopt;
  }
  ProbeReply reply{little_endian(header.nonce), header.service_count, {}};
  for (std::size_t i = 0; i < reply.service_count; ++i) {
    probe_service service;
    std::memcpy(&service, message.data() + sizeof header + i * sizeof service, sizeof service);
    if (service.listener == PENSTOCK_PROBE_ABSENT || service.listener == PENSTOCK_PROBE_PRESENT)
      reply.listeners[i] = static_cast<Listener>(service.listener);
  }
  return reply;
}

bool is_authentic(const siphash_key& key, std::span<const std::uint8_t> datagram) {
  const auto message = datagram.subspan(sizeof(gue_header));
  std::uint64_t mac;
  std::memcpy(&mac, message.data() + offsetof(probe_header, mac), sizeof mac);
  return little_endian(mac) == mac_of(key, message);
}

}  // namespace penstock

#include "dataplane/probe/probe_wire.h"

#include <cstring>

#include "penstock/net/byteorder.h"

namespace penstock {
namespace {

constexpr std::uint8_t kAllSections = PENSTOCK_PROBE_SERVICE_LOADS | PENSTOCK_PROBE_HOST_LOAD;

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

void to_host(abi_u16& number) { number = be16::from_raw(number).host(); }
void to_host(abi_u32& number) { number = be32::from_raw(number).host(); }

template <class... Numbers>
void all_to_host(Numbers&... numbers) {
  (to_host(numbers), ...);
}

probe_service_load read_service_load(const std::uint8_t* at) {
  probe_service_load l;
  std::memcpy(&l, at, sizeof l);
  all_to_host(l.age_ms, l.accept_queue, l.accept_limit, l.established, l.stalled, l.cpu, l.throttled,
              l.application_utilization, l.handshake_p50, l.handshake_p99, l.response_p50, l.response_p99,
              l.new_connections, l.responses, l.resets, l.retransmits, l.syn_drops, l.accept_drops);
  return l;
}

probe_host_load read_host_load(const std::uint8_t* at) {
  probe_host_load l;
  std::memcpy(&l, at, sizeof l);
  all_to_host(l.age_ms, l.cpu_utilization, l.mem_utilization, l.cpu_pressure, l.memory_pressure,
              l.io_pressure, l.run_queue, l.disk_utilization, l.nic_rx_utilization, l.nic_tx_utilization,
              l.gpu_utilization, l.gpu_mem_utilization, l.application_utilization, l.power_watts,
              l.disk_iops);
  return l;
}

/// Bytes that the sections take, of a message about so many services.
std::size_t room_of(std::uint8_t sections, std::size_t services) {
  return ((sections & PENSTOCK_PROBE_SERVICE_LOADS) != 0 ? services * sizeof(probe_service_load) : 0) +
         ((sections & PENSTOCK_PROBE_HOST_LOAD) != 0 ? sizeof(probe_host_load) : 0);
}

bool is_reply(const gue_header& gue, const probe_header& h, std::size_t length) {
  const bool ours = gue.version_control_hlen == PENSTOCK_GUE_CONTROL &&
                    gue.protocol == PENSTOCK_GUE_CONTROL_PROBE && gue.flags == 0;
  const bool known = h.version >= PENSTOCK_PROBE_OLDEST_VERSION && h.version <= PENSTOCK_PROBE_VERSION &&
                     h.kind == PENSTOCK_PROBE_REPLY;
  if (!ours || !known || h.service_count == 0 || h.service_count > PENSTOCK_PROBE_MAX_SERVICES) return false;
  const std::uint8_t sections = h.version == PENSTOCK_PROBE_OLDEST_VERSION ? 0 : kAllSections;
  return (h.sections & ~sections) == 0 && be16::from_raw(h.length).host() == length && length % 8 == 0 &&
         length >= sizeof h + h.service_count * sizeof(probe_service) + room_of(h.sections, h.service_count);
}

}  // namespace

std::size_t write_probe(const siphash_key& key, const ProbeRequest& request,
                        std::span<const ProbedService> services, ProbeDatagram& out) {
  const gue_header gue{PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0};
  probe_header header{};
  const std::size_t covered = sizeof header + services.size() * sizeof(probe_service);
  const std::size_t length = covered + room_of(request.sections, services.size());
  header.version = request.version;
  header.kind = PENSTOCK_PROBE_REQUEST;
  header.service_count = static_cast<abi_u8>(services.size());
  header.sections = request.sections;
  header.length = be16(static_cast<std::uint16_t>(length)).raw();
  header.nonce = little_endian(request.nonce);
  header.sent_ns = little_endian(request.sent_ns);
  std::uint8_t* const message = out.data() + sizeof gue;
  std::memcpy(out.data(), &gue, sizeof gue);
  std::memcpy(message, &header, sizeof header);
  for (std::size_t i = 0; i < services.size(); ++i) {
    const probe_service service = to_abi(services[i].key);
    std::memcpy(message + sizeof header + i * sizeof service, &service, sizeof service);
  }
  std::memset(message + covered, 0, length - covered);
  const std::uint64_t mac = little_endian(mac_of(key, {message, covered}));
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
  if (!is_reply(gue, header, message.size())) return std::nullopt;
  std::optional<ProbeReply> read(std::in_place);
  ProbeReply& reply = *read;
  reply.version = header.version;
  reply.sections = header.sections;
  reply.nonce = little_endian(header.nonce);
  reply.service_count = header.service_count;
  const std::uint8_t* const services = message.data() + sizeof header;
  const std::uint8_t* room = services + reply.service_count * sizeof(probe_service);
  for (std::size_t i = 0; i < reply.service_count; ++i) {
    const std::uint8_t listener = services[i * sizeof(probe_service) + offsetof(probe_service, listener)];
    if (listener == PENSTOCK_PROBE_ABSENT || listener == PENSTOCK_PROBE_PRESENT)
      reply.services[i].listener = static_cast<Listener>(listener);
    if ((reply.sections & PENSTOCK_PROBE_SERVICE_LOADS) == 0) continue;
    reply.services[i].load = read_service_load(room);
    room += sizeof(probe_service_load);
  }
  if ((reply.sections & PENSTOCK_PROBE_HOST_LOAD) != 0) reply.host = read_host_load(room);
  return read;
}

bool is_authentic(const siphash_key& key, std::span<const std::uint8_t> datagram) {
  const auto message = datagram.subspan(sizeof(gue_header));
  std::uint64_t mac;
  std::memcpy(&mac, message.data() + offsetof(probe_header, mac), sizeof mac);
  return little_endian(mac) == mac_of(key, message);
}

}  // namespace penstock

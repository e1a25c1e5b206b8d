#include "dataplane/nat/nat_record.h"

#include <algorithm>
#include <cstring>

#include "penstock/net/headers.h"

namespace penstock {

namespace {

enum Offset : std::size_t {
  kVersionAt = 0,
  kProtocolAt = 1,
  kFlagsAt = 2,
  kPhaseAt = 3,
  kFinsAt = 4,
  kProxyPhaseAt = 5,
  kProxyLengthAt = 6,
  kProxyFirstAt = 8,
  kNameAt = 16,
  kOpenedAt = 24,
  kClientAt = 32,
  kAnswerAt = 72,
};
constexpr std::uint8_t kClientV6 = 1;
constexpr std::uint8_t kAnswerV6 = 2;
constexpr std::uint8_t kProxySent = 4;

template <std::size_t kCount>
void store(std::byte* at, std::uint64_t value) noexcept {
  for (std::size_t i = 0; i < kCount; ++i) at[i] = static_cast<std::byte>(value >> (8 * (kCount - 1 - i)));
}

template <std::size_t kCount>
std::uint64_t load(const std::byte* at) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < kCount; ++i) value = value << 8 | std::to_integer<std::uint64_t>(at[i]);
  return value;
}

void store_tuple(std::byte* at, const NatTuple& tuple) noexcept {
  std::memcpy(at, tuple.source.data(), 16);
  std::memcpy(at + 16, tuple.destination.data(), 16);
  std::memcpy(at + 32, &tuple.source_port, 2);
  std::memcpy(at + 34, &tuple.destination_port, 2);
}

NatTuple load_tuple(const std::byte* at, std::uint8_t protocol, bool v6) noexcept {
  NatTuple tuple;
  tuple.protocol = protocol;
  tuple.v6 = v6;
  std::memcpy(tuple.source.data(), at, tuple.address_bytes());
  std::memcpy(tuple.destination.data(), at + 16, tuple.address_bytes());
  std::memcpy(&tuple.source_port, at + 32, 2);
  std::memcpy(&tuple.destination_port, at + 34, 2);
  return tuple;
}

// As NatProgress and ProxyStream come about.
bool is_possible(const NatSessionRecord& r) noexcept {
  const NatPhase phase = r.progress.phase;
  if (phase != NatPhase::kEstablished && phase != NatPhase::kClosing && phase != NatPhase::kReset)
    return false;
  if ((phase == NatPhase::kClosing) != (r.progress.fins == 3) || r.progress.fins > 3) return false;
  const bool tcp = r.client.protocol == kProtoTcp;
  if (!tcp && (r.client.protocol != kProtoUdp || phase != NatPhase::kEstablished || r.progress.fins != 0))
    return false;
  if (r.proxy.phase > ProxyStream::Phase::kFar) return false;
  if (r.proxy.phase == ProxyStream::Phase::kNone)
    return r.proxy.first == 0 && r.proxy.length == 0 && !r.proxy.sent;
  return tcp && r.proxy.length == ProxyStream::header_bytes(r.client.v6);
}

}  // namespace

void encode(const NatSessionRecord& record, std::span<std::byte, NatSessionRecord::kBytes> out) noexcept {
  std::ranges::fill(out, std::byte{0});
  std::byte* at = out.data();
  store<1>(at + kVersionAt, NatSessionRecord::kVersion);
  store<1>(at + kProtocolAt, record.client.protocol);
  store<1>(at + kFlagsAt, (record.client.v6 ? kClientV6 : 0U) | (record.answer.v6 ? kAnswerV6 : 0U) |
                              (record.proxy.sent ? kProxySent : 0U));
  store<1>(at + kPhaseAt, static_cast<std::uint64_t>(record.progress.phase));
  store<1>(at + kFinsAt, record.progress.fins);
  store<1>(at + kProxyPhaseAt, static_cast<std::uint64_t>(record.proxy.phase));
  store<1>(at + kProxyLengthAt, record.proxy.length);
  store<4>(at + kProxyFirstAt, record.proxy.first);
  store<8>(at + kNameAt, record.backend_name);
  store<8>(at + kOpenedAt, record.opened_ms);
  store_tuple(at + kClientAt, record.client);
  store_tuple(at + kAnswerAt, record.answer);
}

std::optional<NatSessionRecord> decode_nat_record(std::span<const std::byte> bytes) noexcept {
  if (bytes.size() != NatSessionRecord::kBytes) return std::nullopt;
  const std::byte* at = bytes.data();
  const auto byte = [at](std::size_t offset) { return static_cast<std::uint8_t>(at[offset]); };
  NatSessionRecord record;
  record.client = load_tuple(at + kClientAt, byte(kProtocolAt), (byte(kFlagsAt) & kClientV6) != 0);
  record.answer = load_tuple(at + kAnswerAt, byte(kProtocolAt), (byte(kFlagsAt) & kAnswerV6) != 0);
  record.proxy.sent = (byte(kFlagsAt) & kProxySent) != 0;
  record.proxy.phase = static_cast<ProxyStream::Phase>(byte(kProxyPhaseAt));
  record.proxy.length = byte(kProxyLengthAt);
  record.proxy.first = static_cast<std::uint32_t>(load<4>(at + kProxyFirstAt));
  record.progress.phase = static_cast<NatPhase>(byte(kPhaseAt));
  record.progress.fins = byte(kFinsAt);
  record.progress.confirmed = true;
  record.backend_name = load<8>(at + kNameAt);
  record.opened_ms = load<8>(at + kOpenedAt);
  if (!is_possible(record)) return std::nullopt;
  // Whatever has no meaning must be zero: version, unused bits and bytes, the rest of an IPv4 address.
  std::array<std::byte, NatSessionRecord::kBytes> again;
  encode(record, again);
  if (!std::ranges::equal(again, bytes)) return std::nullopt;
  return record;
}

}  // namespace penstock

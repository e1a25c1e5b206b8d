#include "dataplane/sync/datagram.h"

#include <isa-l/crc.h>

#include <algorithm>

#include "dataplane/sync/parity.h"
#include "dataplane/sync/wire_bytes.h"

namespace penstock {
namespace {

constexpr std::uint32_t kMagic = 0x5053'594e;  // "PSYN"
constexpr std::uint8_t kVersion = 1;

bool fits(const DatagramHeader& h, std::size_t payload) noexcept {
  switch (h.kind) {
    case DatagramKind::kHello:
      return payload == 0;
    case DatagramKind::kData:
      return payload != 0 && h.k >= 1 && h.k <= kMaxDataShards && h.m <= kMaxParityShards && h.index < h.k;
    case DatagramKind::kParity:
      return payload > kShardSizeBytes && h.k >= 1 && h.k <= kMaxDataShards && h.m <= kMaxParityShards &&
             h.index >= h.k && h.index < h.k + h.m;
  }
  return false;
}

DatagramHeader read_header(const std::byte* d) noexcept {
  DatagramHeader h;
  h.kind = static_cast<DatagramKind>(load_be<std::uint8_t>(d + 5));
  h.k = load_be<std::uint8_t>(d + 6);
  h.m = load_be<std::uint8_t>(d + 7);
  h.session = load_be<std::uint64_t>(d + 8);
  h.started_ns = load_be<std::uint64_t>(d + 16);
  h.to_session = load_be<std::uint64_t>(d + 24);
  h.sequence = load_be<std::uint64_t>(d + 32);
  h.sent_ms = load_be<std::uint64_t>(d + 40);
  h.group = load_be<std::uint32_t>(d + 48);
  h.index = load_be<std::uint8_t>(d + 52);
  return h;
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept {
  // ISA-L does not write; its prototype is older than const.
  auto* data = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data()));
  return ~crc32_iscsi(data, static_cast<int>(bytes.size()), 0xffff'ffff);
}

std::size_t seal(const DatagramHeader& h, std::span<const std::byte> payload, const SyncKey& key,
                 std::span<std::byte, kMaxSyncDatagram> out) {
  std::byte* d = out.data();
  std::fill_n(d, kSyncHeaderBytes, std::byte{0});
  store_be(d, kMagic);
  store_be(d + 4, kVersion);
  store_be(d + 5, static_cast<std::uint8_t>(h.kind));
  store_be(d + 6, h.k);
  store_be(d + 7, h.m);
  store_be(d + 8, h.session);
  store_be(d + 16, h.started_ns);
  store_be(d + 24, h.to_session);
  store_be(d + 32, h.sequence);
  store_be(d + 40, h.sent_ms);
  store_be(d + 48, h.group);
  store_be(d + 52, h.index);
  store_be(d + 54, static_cast<std::uint16_t>(payload.size()));
  store_be(d + 56, crc32c(payload));
  std::copy(payload.begin(), payload.end(), d + kSyncHeaderBytes);
  const std::size_t covered = kSyncHeaderBytes + payload.size();
  const SyncMac mac = key.mac(out.first(covered));
  std::copy(mac.begin(), mac.end(), d + covered);
  return covered + kSyncMacBytes;
}

bool open(std::span<const std::byte> datagram, const SyncKey& key, OpenedDatagram& out, Refusal& why) {
  why = Refusal::kMalformed;
  if (datagram.size() < kSyncHeaderBytes + kSyncMacBytes || datagram.size() > kMaxSyncDatagram) return false;
  const std::byte* d = datagram.data();
  if (load_be<std::uint32_t>(d) != kMagic || load_be<std::uint8_t>(d + 4) != kVersion) return false;
  const std::size_t size = load_be<std::uint16_t>(d + 54);
  if (size != datagram.size() - kSyncHeaderBytes - kSyncMacBytes) return false;
  out.header = read_header(d);
  out.payload = datagram.subspan(kSyncHeaderBytes, size);
  if (!fits(out.header, size) || crc32c(out.payload) != load_be<std::uint32_t>(d + 56)) return false;
  why = Refusal::kAuthentication;
  return SyncKey::equal(key.mac(datagram.first(kSyncHeaderBytes + size)), datagram.last(kSyncMacBytes));
}

}  // namespace penstock

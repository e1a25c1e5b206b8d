// The datagrams between gateways, version 1. All integers in network byte order.
//
//    0 magic "PSYN"   4 version   5 kind   6 k   7 m
//    8 session, 64 random bits   16 when the session began, ns of wall time
//   24 the receiver's session, 0 while it is not known
//   32 sequence   40 when it was sent, ms of wall time
//   48 group   52 index in the group   53 zero   54 payload bytes   56 CRC-32C of the payload   60 zero
//   64 payload   then 16 bytes of HMAC-SHA-256 over all before it
//
// Data datagrams have index 0 to k - 1, parity datagrams k to k + m - 1 (parity.h). A session is one run of a
// gateway; naming the receiver's as well makes a datagram worthless for anybody else and after its restart.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/sync/sync_key.h"

namespace penstock {

inline constexpr std::size_t kSyncHeaderBytes = 64;
inline constexpr std::size_t kMaxSyncDatagram = 1400;  // passes every path of 1,500 bytes in a tunnel
inline constexpr std::size_t kMaxSyncPayload = kMaxSyncDatagram - kSyncHeaderBytes - kSyncMacBytes;

enum class DatagramKind : std::uint8_t {
  kHello = 1,   // empty: here I am
  kData = 2,    // batch entries (batch.h)
  kParity = 3,  // one parity shard of its group
};

struct DatagramHeader {
  DatagramKind kind = DatagramKind::kHello;
  std::uint8_t k = 0;
  std::uint8_t m = 0;
  std::uint8_t index = 0;
  std::uint32_t group = 0;
  std::uint64_t session = 0;
  std::uint64_t started_ns = 0;
  std::uint64_t to_session = 0;
  std::uint64_t sequence = 0;
  std::uint64_t sent_ms = 0;
};

/// Why a datagram or connection was not believed.
enum class Refusal : std::uint8_t { kMalformed, kAuthentication, kReplay, kStranger };
inline constexpr std::size_t kRefusals = 4;

struct OpenedDatagram {
  DatagramHeader header;
  std::span<const std::byte> payload;  // within the datagram
};

/// Writes the datagram to `out` and returns its size. payload: at most kMaxSyncPayload bytes.
std::size_t seal(const DatagramHeader& header, std::span<const std::byte> payload, const SyncKey& key,
                 std::span<std::byte, kMaxSyncDatagram> out);

/// True and `out`, or false and why: kMalformed (size, magic, version, kind, CRC) or kAuthentication.
[[nodiscard]] bool open(std::span<const std::byte> datagram, const SyncKey& key, OpenedDatagram& out,
                        Refusal& why);

/// CRC-32C (Castagnoli), by ISA-L.
[[nodiscard]] std::uint32_t crc32c(std::span<const std::byte> bytes) noexcept;

}  // namespace penstock

// The snapshot that a new gateway asks a peer for, over TCP. All integers in network byte order.
//
//   request: magic "PSNQ", version, 3 zero, nonce (16), wall time in ms (8), MAC over all before it (16)
//   answer, chunks: index (4), compressed bytes (4), bytes (4), CRC-32C of the bytes (4), last (1), 3 zero,
//     the compressed bytes (deflate, by igzip at level 1), MAC over nonce, head and compressed bytes (16)
//   bytes: entries of {type, key, size, data}, whole ones only
//
// The nonce ties the answer to the request, the index ties the chunks to each other, the last chunk says that
// nothing was cut off. A reader holds one chunk at most, and believes none before its MAC and CRC are right.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dataplane/sync/datagram.h"
#include "dataplane/sync/record.h"
#include "dataplane/sync/sync_key.h"

namespace penstock {

inline constexpr std::size_t kSnapshotNonceBytes = 16;
using SnapshotNonce = std::array<std::byte, kSnapshotNonceBytes>;
inline constexpr std::size_t kSnapshotRequestBytes = 4 + 1 + 3 + kSnapshotNonceBytes + 8 + kSyncMacBytes;

struct SnapshotRequest {
  SnapshotNonce nonce{};
  std::uint64_t sent_ms = 0;
};

[[nodiscard]] std::vector<std::byte> write_request(const SnapshotRequest& request, const SyncKey& key);
/// False and why: kMalformed or kAuthentication. Whether it is stale is for the caller to say.
[[nodiscard]] bool read_request(std::span<const std::byte> bytes, const SyncKey& key, SnapshotRequest& out,
                                Refusal& why);

class SnapshotWriter {
 public:
  SnapshotWriter(const SnapshotNonce& nonce, const SyncKey& key) : nonce_(nonce), key_(key) {}

  void add(const SyncRecord& record);
  /// The whole answer. The writer is spent then.
  [[nodiscard]] std::vector<std::byte> finish();
  [[nodiscard]] std::size_t records() const noexcept { return records_; }

 private:
  void write_chunk(bool last);

  const SnapshotNonce nonce_;
  const SyncKey& key_;
  std::vector<std::byte> chunk_;
  std::vector<std::byte> out_;
  std::uint32_t index_ = 0;
  std::size_t records_ = 0;
};

class SnapshotReader {
 public:
  enum class Verdict : std::uint8_t { kMore, kDone, kMalformed, kForged };
  using Tell = std::function<void(const SyncRecord&)>;

  /// limit: records; more are malformed.
  SnapshotReader(const SnapshotNonce& nonce, const SyncKey& key, std::size_t limit)
      : nonce_(nonce), key_(key), limit_(limit) {}

  /// What has arrived; any cut will do. After anything but kMore it is not to be fed again.
  [[nodiscard]] Verdict feed(std::span<const std::byte> bytes, const Tell& tell);
  [[nodiscard]] std::size_t records() const noexcept { return records_; }

 private:
  [[nodiscard]] Verdict read_chunk(std::size_t compressed, const Tell& tell);
  [[nodiscard]] bool read_entries(std::span<const std::byte> bytes, const Tell& tell);

  const SnapshotNonce nonce_;
  const SyncKey& key_;
  const std::size_t limit_;
  std::vector<std::byte> buffer_;
  std::uint32_t index_ = 0;
  std::size_t records_ = 0;
};

}  // namespace penstock

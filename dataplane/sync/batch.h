// What data datagrams carry: sections of entries, each section with op, record type and number of entries.
//
//   1 put      count x {key, size, data}
//   2 end      count x {key}
//   3 content  low, high, count x {key, size, data}: all that the sender has between two mixed keys
//   4 digest   bits, first range, count x {checksum}
//   5 ask      bits, count x {range}: send me the content
//
// A payload stands for itself: any of them may be lost, doubled or out of order, and the next digests mend
// it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dataplane/sync/datagram.h"
#include "dataplane/sync/parity.h"
#include "dataplane/sync/record.h"
#include "dataplane/sync/record_set.h"

namespace penstock {

inline constexpr std::size_t kMaxBatchPayload = kMaxSyncPayload - kShardSizeBytes;

/// Packs sections into payloads.
class BatchWriter {
 public:
  void put(const SyncRecord& record);
  void end(SyncRecordType type, std::uint64_t key);
  void digest(const RecordSet& set);
  void ask(SyncRecordType type, unsigned bits, std::uint32_t range);
  /// All of the set in one range, in as many sections as it needs. Returns the number of records.
  std::size_t content(const RecordSet& set, unsigned bits, std::size_t range);

  [[nodiscard]] bool empty() const noexcept { return payloads_.empty(); }
  /// Payloads so far, the one that is being filled included.
  [[nodiscard]] std::size_t size() const noexcept { return payloads_.size(); }
  /// The payloads; the writer is empty then.
  [[nodiscard]] std::vector<ParityCoder::Shard> take();

 private:
  enum class Op : std::uint8_t;
  void begin(Op op, SyncRecordType type, std::span<const std::byte> head);
  /// Room for an entry of the section that is open; false: the section must be begun anew.
  [[nodiscard]] bool room(Op op, SyncRecordType type, std::size_t entry) const noexcept;
  void entry(std::span<const std::byte> bytes);
  void count_one();

  std::vector<ParityCoder::Shard> payloads_;
  std::size_t section_ = 0;  // where the open section begins in the last payload
  unsigned open_bits_ = 0;   // of an open ask section
};

/// What a payload says. Called in its order.
class BatchReader {
 public:
  virtual ~BatchReader() = default;
  virtual void on_put(const SyncRecord& record) = 0;
  virtual void on_end(SyncRecordType type, std::uint64_t key) = 0;
  virtual void on_content(SyncRecordType type, std::uint64_t low, std::uint64_t high,
                          std::span<const SyncRecord> records) = 0;
  virtual void on_digest(SyncRecordType type, unsigned bits, std::uint32_t first,
                         std::span<const std::uint32_t> checksums) = 0;
  virtual void on_ask(SyncRecordType type, unsigned bits, std::span<const std::uint32_t> ranges) = 0;

  /// False: malformed; what was said before the flaw was told.
  [[nodiscard]] bool read(std::span<const std::byte> payload);

 private:
  bool read_section(class WireReader& in);
};

}  // namespace penstock

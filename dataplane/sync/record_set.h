// Records by key, as a gateway tells them or has been told them: a hash table in the order of the mixed keys,
// so that a range of mixed keys is a stretch of it, with a checksum (xor of record hashes) per range. Two
// sets with equal checksums in a range hold the same records there, but for one chance in 2^32 per look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dataplane/sync/record.h"

namespace penstock {

class RecordSet {
 public:
  enum class Put : std::uint8_t { kSame, kChanged, kNew, kFull };
  static constexpr unsigned kMaxRangeBits = 20;

  /// limit: records that it holds at most.
  RecordSet(SyncRecordType type, std::size_t limit);

  /// One to one: neighbours in keys become strangers.
  [[nodiscard]] static std::uint64_t mix(std::uint64_t key) noexcept;

  /// data: at most SyncRecord::kMaxBytes. Also marks the record as listed in this round.
  Put put(std::uint64_t key, std::span<const std::byte> data);
  bool erase(std::uint64_t key);
  [[nodiscard]] bool find(std::uint64_t key, SyncRecord& out) const;
  void clear();
  [[nodiscard]] std::size_t size() const noexcept { return count_; }
  [[nodiscard]] SyncRecordType type() const noexcept { return type_; }

  /// Begins a round of listing everything anew.
  void begin_round() noexcept { round_ = round_ == 1 ? 2 : 1; }
  /// Erases what was not put since begin_round(), and tells of it.
  void end_round(const std::function<void(std::uint64_t key)>& ended);

  // Ranges: the 2^bits equal parts of the mixed keys, bits <= kMaxRangeBits.

  /// So many that a range has about 64 records.
  [[nodiscard]] unsigned range_bits() const noexcept { return leaf_bits_; }
  [[nodiscard]] std::uint32_t checksum(unsigned bits, std::size_t range) const;
  /// Every record whose mixed key is in [low, high], in no order.
  void for_each_in(std::uint64_t low, std::uint64_t high,
                   const std::function<void(const SyncRecord&)>& see) const;
  void for_each(const std::function<void(const SyncRecord&)>& see) const;
  /// A part of a walk through everything: looks at `places` places from `cursor` on and returns where to go
  /// on; 0 when the walk is over. What is put or erased meanwhile may be missed or seen twice.
  std::size_t walk(std::size_t cursor, std::size_t places,
                   const std::function<void(const SyncRecord&)>& see) const;
  [[nodiscard]] std::size_t places() const noexcept { return keys_.size(); }

 private:
  [[nodiscard]] std::size_t home(std::uint64_t mixed) const noexcept { return mixed >> (64 - slot_bits_); }
  [[nodiscard]] std::size_t locate(std::uint64_t mixed) const noexcept;
  [[nodiscard]] SyncRecord record_at(std::size_t slot) const;
  [[nodiscard]] std::uint64_t hash_of(std::uint64_t mixed, std::span<const std::byte> data) const noexcept;
  [[nodiscard]] std::uint64_t& leaf(std::uint64_t mixed) noexcept { return leaves_[leaf_of(mixed)]; }
  [[nodiscard]] std::size_t leaf_of(std::uint64_t mixed) const noexcept {
    return leaf_bits_ == 0 ? 0 : mixed >> (64 - leaf_bits_);
  }
  void lay_out(unsigned slot_bits, std::size_t stride);
  void rebuild(unsigned slot_bits, std::size_t stride);
  void write(std::size_t slot, std::uint64_t mixed, std::span<const std::byte> data, std::uint64_t hash,
             std::uint8_t round);
  void remove(std::size_t slot) noexcept;

  SyncRecordType type_;
  std::size_t limit_;
  unsigned slot_bits_ = 0;
  unsigned leaf_bits_ = 0;
  std::size_t stride_ = 0;  // data bytes of one slot
  std::size_t count_ = 0;
  std::uint8_t round_ = 1;
  std::vector<std::uint64_t> keys_;  // mixed
  std::vector<std::uint64_t> hashes_;
  std::vector<std::uint8_t> rounds_;  // 0: free
  std::vector<std::uint8_t> sizes_;
  std::vector<std::byte> data_;
  std::vector<std::uint64_t> leaves_;
};

}  // namespace penstock

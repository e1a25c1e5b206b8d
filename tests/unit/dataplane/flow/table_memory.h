// Memory, digests and services for flow table tests.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "dataplane/flow/flow_table.h"

namespace penstock {

constexpr std::uint64_t kFingerprint = 0x5eed;

/// Cache-line aligned bytes, filled with junk as memory from anywhere may be.
class TableMemory {
 public:
  explicit TableMemory(std::size_t bytes)
      : size_(bytes),
        data_(static_cast<std::byte*>(std::aligned_alloc(64, (bytes + 63) / 64 * 64)), &std::free) {
    std::memset(data_.get(), 0xa5, bytes);
  }
  static TableMemory for_buckets(std::size_t buckets) {
    return TableMemory(kHeaderBytes + buckets * sizeof(FlowBucket));
  }
  [[nodiscard]] std::span<std::byte> span() const { return {data_.get(), size_}; }
  [[nodiscard]] bool same_bytes_as(const TableMemory& other) const {
    return size_ == other.size_ && std::memcmp(data_.get(), other.data_.get(), size_) == 0;
  }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte, decltype(&std::free)> data_;
};

/// A table together with the memory under it.
template <class Table>
struct OwnTable {
  explicit OwnTable(std::size_t buckets, Tick now = 1000)
      : memory(TableMemory::for_buckets(buckets)), table(make(memory, now)) {}
  static Table make(const TableMemory& memory, Tick now) {
    auto made = Table::create(memory.span(), kFingerprint, now);
    if (!made) throw std::runtime_error(made.error().text());
    return std::move(*made);
  }
  Table* operator->() { return &table; }

  TableMemory memory;
  Table table;
};

inline std::uint64_t random_seed() {
  const std::uint64_t seed = std::random_device{}() | std::uint64_t{std::random_device{}()} << 32;
  std::cout << "seed " << seed << "\n";
  return seed;
}

inline std::vector<std::uint64_t> random_digests(std::size_t count, std::mt19937_64& random) {
  std::vector<std::uint64_t> digests(count);
  for (auto& d : digests) d = random();
  return digests;
}

/// SYN 10 s, established 900 s, closing 30 s, UDP 60 s: the defaults of config.proto.
inline constexpr IdleTicks kIdle = IdleTicks::from_seconds(10, 900, 30, 60);

constexpr Tick ticks_in(std::uint64_t seconds) { return tick_of(Nanoseconds::from_seconds(seconds)); }

/// Enters a flow as a handshake does: SYN, then an ACK. False if the table did not keep it.
template <class Table>
bool establish(Table& table, std::uint64_t digest, BackendIndex backend, const IdleTicks& idle = kIdle) {
  table.insert(digest, backend, PacketKind::kSyn, idle);
  return table.find_and_refresh(digest, PacketKind::kAck, idle) == backend;
}

/// All living entries.
template <class Table>
std::vector<FlowRecord> dump(const Table& table) {
  std::vector<FlowRecord> all;
  std::array<FlowRecord, kSlotsPerBucket> records;
  for (std::size_t i = 0; i < table.bucket_count(); ++i) {
    const std::size_t n = table.read_bucket(i, records);
    all.insert(all.end(), records.begin(), records.begin() + static_cast<std::ptrdiff_t>(n));
  }
  return all;
}

}  // namespace penstock

// What gateways tell each other: one record per flow or NAT session, small and of a fixed form per type. The
// replication engine carries records without looking into them; sources make them, sinks believe them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "penstock/base/units.h"

namespace penstock {

enum class SyncRecordType : std::uint8_t {
  kFlow = 1,        // digest and backend
  kNatSession = 2,  // whole keys of both directions
};

struct SyncRecord {
  static constexpr std::size_t kMaxBytes = 140;

  SyncRecordType type{};
  std::uint8_t size = 0;
  std::uint64_t key = 0;  // names what the record is about, within its type; the same on every gateway
  std::array<std::byte, kMaxBytes> data{};

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data.data(), size}; }
};

/// What this gateway tells. Called by the replication thread only.
class SyncSource {
 public:
  virtual ~SyncSource() = default;
  /// Calls `tell` for every record that is old enough to be told and not ended, in any order.
  virtual void collect(Nanoseconds now, const std::function<void(const SyncRecord&)>& tell) = 0;
};

/// What this gateway is told. Called by the replication thread only.
class SyncSink {
 public:
  virtual ~SyncSink() = default;
  [[nodiscard]] virtual SyncRecordType type() const noexcept = 0;
  /// peer: small number of who tells. False: not understood or not usable here (counted by the caller).
  virtual bool put(const SyncRecord& record, std::uint8_t peer, Nanoseconds now) = 0;
  virtual void erase(std::uint64_t key, std::uint8_t peer) = 0;
  /// For the snapshot that a new gateway asks for: everything that was put and has not ended.
  virtual void collect(const std::function<void(const SyncRecord&)>& tell) = 0;
  /// Every 100 ms, to end leases. What a living peer tells is put again every 10 s, or soon where the answer
  /// is true: something that was not usable may be now.
  virtual bool tick(Nanoseconds now) {
    static_cast<void>(now);
    return false;
  }
};

}  // namespace penstock

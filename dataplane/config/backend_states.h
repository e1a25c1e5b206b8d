// What this gateway knows of backends and services beside the snapshots, as the workers read it: one word a
// backend, one byte a service. A verdict reaches the next new flow without a compilation. Established flows
// never look here.
//
// One thread writes (the judge of dataplane/probe), workers and reports read; relaxed, each word by itself.
// Fresh words are zero: unknown, which is alive, takes everything and is cold.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "dataplane/flow/flow_bucket.h"

namespace penstock {

/// bits 0-7: of 256 new flows that its slots give it, how many it does not take (255: it takes none but by
/// mistake of the draw, which down says better). The rest: rank() and what reports want.
class BackendState {
 public:
  static constexpr std::uint16_t kWithheldMask = 0xff;
  static constexpr std::uint16_t kBusy = 1 << 8;  // utilisation
  static constexpr std::uint16_t kLate = 1 << 9;  // latency or queue, times the level, 0-3
  static constexpr std::uint16_t kLateMask = 3 * kLate;
  static constexpr std::uint16_t kDown = 1 << 11;         // takes no new flows
  static constexpr std::uint16_t kKnown = 1 << 12;        // up or down, not unknown
  static constexpr std::uint16_t kMaintenance = 1 << 13;  // down, and on purpose

  constexpr BackendState() = default;
  constexpr explicit BackendState(std::uint16_t bits) : bits_(bits) {}

  [[nodiscard]] constexpr std::uint16_t bits() const noexcept { return bits_; }
  /// Nothing to think about: neither down nor hot, and takes all.
  [[nodiscard]] constexpr bool plain() const noexcept { return (bits_ & ~kKnown) == 0; }
  [[nodiscard]] constexpr bool down() const noexcept { return (bits_ & kDown) != 0; }
  /// Lexicographic: health, then latency and queue, then utilisation. The lower the better.
  [[nodiscard]] constexpr unsigned rank() const noexcept { return (bits_ >> 8) & 15; }
  [[nodiscard]] constexpr bool late() const noexcept { return (bits_ & kLateMask) != 0; }
  /// Level of late, 0-3.
  [[nodiscard]] constexpr unsigned lateness() const noexcept { return (bits_ & kLateMask) / kLate; }
  [[nodiscard]] constexpr bool busy() const noexcept { return (bits_ & kBusy) != 0; }
  /// draw: 0-255, of the flow.
  [[nodiscard]] constexpr bool admits(std::uint8_t draw) const noexcept {
    return draw >= (bits_ & kWithheldMask);
  }
  [[nodiscard]] constexpr bool in_maintenance() const noexcept { return (bits_ & kMaintenance) != 0; }
  [[nodiscard]] constexpr bool known() const noexcept { return (bits_ & kKnown) != 0; }

  bool operator==(const BackendState&) const = default;

 private:
  std::uint16_t bits_ = 0;
};

inline constexpr BackendState kUpState(BackendState::kKnown);
inline constexpr BackendState kDownState(BackendState::kKnown | BackendState::kDown);

/// What new flows of a service meet when nobody is left for them.
enum class ServiceState : std::uint8_t {
  kAlive,
  kUseAll,  // down does not count, maintenance does as long as there is anybody else
  kReset,
  kDrop,
};

class BackendStates {
 public:
  BackendStates(std::size_t backends, std::size_t services)
      : backend_count_(backends),
        service_count_(services),
        backends_(std::make_unique<std::atomic<std::uint16_t>[]>(backends)),
        services_(std::make_unique<std::atomic<std::uint8_t>[]>(services)) {}

  [[nodiscard]] BackendState backend(BackendIndex index) const noexcept {
    return index < backend_count_ ? BackendState(backends_[index].load(std::memory_order_relaxed))
                                  : BackendState();
  }
  [[nodiscard]] ServiceState service(std::size_t index) const noexcept {
    return index < service_count_
               ? static_cast<ServiceState>(services_[index].load(std::memory_order_relaxed))
               : ServiceState::kAlive;
  }
  void set(BackendIndex index, BackendState state) noexcept {
    if (index < backend_count_) backends_[index].store(state.bits(), std::memory_order_relaxed);
  }
  void set_service(std::size_t index, ServiceState state) noexcept {
    if (index < service_count_)
      services_[index].store(static_cast<std::uint8_t>(state), std::memory_order_relaxed);
  }

 private:
  std::size_t backend_count_;
  std::size_t service_count_;
  std::unique_ptr<std::atomic<std::uint16_t>[]> backends_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> services_;
};

}  // namespace penstock

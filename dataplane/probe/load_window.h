// What happened at a backend between two looks, from the counters of its load reports. Counters wrap, and
// start again with the responder: what cannot have happened in between did not.
//
// One backend, one thread.
#pragma once

#include <cstdint>

#include "penstock/abi/probe.h"

namespace penstock {

struct LoadWindow {
  std::uint64_t connections = 0;
  std::uint64_t responses = 0;
  std::uint64_t resets = 0;
  std::uint64_t refused = 0;      // connection requests that the listener dropped, for whatever reason
  std::uint32_t response_us = 0;  // 99th percentile as last told; 0: none

  void add(const LoadWindow& more) noexcept {
    connections += more.connections;
    responses += more.responses;
    resets += more.resets;
    refused += more.refused;
    response_us = more.response_us;
  }
  [[nodiscard]] std::uint64_t attempts() const noexcept { return connections + refused; }
  [[nodiscard]] std::uint64_t failures() const noexcept { return resets + refused; }
};

class LoadCounters {
 public:
  /// Adds to `window` what has happened since the report before; of the first one nothing is known.
  void take(const probe_service_load& load, LoadWindow& window) noexcept {
    const std::uint32_t connections = load.new_connections - connections_;
    const std::uint32_t responses = load.responses - responses_;
    const std::uint32_t resets = load.resets - resets_;
    const auto refused = static_cast<std::uint16_t>(load.syn_drops - refused_);
    // A counter that went back shows as a step of nearly the whole range.
    const bool began_again = connections > kMostBetween || responses > kMostBetween || resets > kMostBetween;
    if (known_ && !began_again) {
      window.connections += connections;
      window.responses += responses;
      window.resets += resets;
      if (refused <= kMostRefused) window.refused += refused;
    }
    known_ = true;
    connections_ = load.new_connections;
    responses_ = load.responses;
    resets_ = load.resets;
    refused_ = load.syn_drops;
  }

 private:
  static constexpr std::uint32_t kMostBetween = 1U << 28;  // of a second or two
  static constexpr std::uint16_t kMostRefused = 1U << 15;

  bool known_ = false;
  std::uint32_t connections_ = 0;
  std::uint32_t responses_ = 0;
  std::uint32_t resets_ = 0;
  std::uint16_t refused_ = 0;
};

}  // namespace penstock

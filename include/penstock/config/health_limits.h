// Ranges and defaults of a service's Health (penstock/proto/config.proto), for whoever parses or validates
// one.
#pragma once

#include <cstddef>
#include <cstdint>

namespace penstock {

inline constexpr std::size_t kMaxChecks = 8;  // of one service
inline constexpr std::uint32_t kMinCheckIntervalMs = 50;
inline constexpr std::uint32_t kMaxCheckIntervalMs = 3'600'000;
inline constexpr std::uint32_t kDefaultCheckIntervalMs = 1000;
inline constexpr std::uint32_t kMinCheckTimeoutMs = 10;
inline constexpr std::uint32_t kMaxCheckTimeoutMs = 60'000;
inline constexpr std::uint32_t kDefaultCheckTimeoutMs = 500;
inline constexpr std::uint32_t kMaxCheckRepeat = 100;  // rise and fall, of checks and of probes
inline constexpr std::uint32_t kDefaultRise = 2;
inline constexpr std::uint32_t kDefaultFall = 3;
inline constexpr std::size_t kMaxCheckText = 1024;    // path, host, body, header name or value, gRPC service
inline constexpr std::size_t kMaxCheckStatuses = 16;  // ranges of status codes of one check
inline constexpr std::size_t kMaxCheckHeaders = 16;   // of one check
inline constexpr std::size_t kMaxScriptName = 255;
inline constexpr std::size_t kMaxCheckBytes = 512;  // send, expect

inline constexpr std::uint32_t kMaxHoldMs = 3'600'000;
inline constexpr std::uint32_t kDefaultHoldMs = 2000;
inline constexpr std::uint32_t kDefaultMaxHoldMs = 60'000;

inline constexpr std::uint32_t kMaxHotResponseMs = 60'000;
inline constexpr std::uint32_t kDefaultHotQueuePercent = 50;
inline constexpr std::uint32_t kDefaultHotUtilizationPercent = 90;
inline constexpr std::uint32_t kMaxHotUtilizationPercent = 1000;  // applications may report more than 1

inline constexpr std::uint32_t kDefaultBreakerLatencyFactor = 10;
inline constexpr std::uint32_t kMaxBreakerLatencyFactor = 1000;  // from 2
inline constexpr std::uint32_t kDefaultBreakerProbeLossPercent = 60;
inline constexpr std::uint32_t kDefaultBreakerOpenMs = 5000;  // 100 – kMaxHoldMs
inline constexpr std::uint32_t kDefaultBreakerHalfOpenPercent = 5;
inline constexpr std::uint32_t kDefaultBreakerMaxOpenPercent = 50;

inline constexpr std::uint32_t kDefaultSlowStartMs = 10'000;
inline constexpr std::uint32_t kMaxSlowStartMs = 3'600'000;
inline constexpr std::uint32_t kDefaultSlowStartInitialPercent = 10;
inline constexpr double kMinSlowStartExponent = 0.1;
inline constexpr double kMaxSlowStartExponent = 10;

}  // namespace penstock

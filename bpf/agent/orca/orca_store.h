// The newest report of each source, until it expires, and what they amount to. Many threads put, one reads.
//
// Reports of one service come from several processes: of utilisations and of named values the largest counts
// (a host is as busy as its busiest worker), rates are added.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

#include "bpf/agent/host_load.h"
#include "bpf/agent/orca/orca_report.h"
#include "penstock/base/result.h"

namespace penstock {

inline constexpr std::size_t kMaxOrcaSources = 256;  // times services

/// What applications say, put together.
struct OrcaView {
  struct Service {
    Measurement cpu_utilization;
    Measurement application_utilization;
  };
  ApplicationLoad all;                      // of all reports
  Service host;                             // of those that name no service
  std::map<std::string, Service> services;  // of those that do

  /// Its own, else what was said of the host.
  [[nodiscard]] Measurement application_utilization(const std::string& service) const;
  /// Its own only: what the host's processes use together is no service's share.
  [[nodiscard]] Measurement cpu_utilization(const std::string& service) const;
};

class OrcaStore {
 public:
  explicit OrcaStore(Nanoseconds expiry = Nanoseconds::from_seconds(10)) : expiry_(expiry) {}

  /// Replaces what the same source said of the same service. Refused when there are too many sources.
  Status put(const std::string& source, OrcaReport report, Nanoseconds now);
  void count_refused();

  /// Brings `view` up to date, if anything has changed since the last call; expiry is seen within a second.
  void refresh(OrcaView& view, Nanoseconds now);
  [[nodiscard]] std::uint64_t accepted() const;
  [[nodiscard]] std::uint64_t refused() const;

 private:
  struct Entry {
    OrcaReport report;
    Nanoseconds at;
  };
  void expire(Nanoseconds now);

  const Nanoseconds expiry_;
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, Entry> entries_;  // by source and service
  bool changed_ = false;
  Nanoseconds refreshed_;
  std::uint64_t accepted_ = 0;
  std::uint64_t refused_ = 0;
};

}  // namespace penstock

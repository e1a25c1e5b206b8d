// One measured service: what its shards in the kernel's memory hold, over the windows, as ServiceTelemetry.
// One thread.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "bpf/agent/telemetry/histogram_window.h"
#include "bpf/agent/telemetry/stall_watch.h"
#include "bpf/agent/telemetry/telemetry.h"
#include "penstock/abi/telemetry.h"

namespace penstock {

class ServiceRecord {
 public:
  /// `shards` are all zero.
  ServiceRecord(std::uint32_t slot, std::span<telemetry_shard> shards, Nanoseconds began)
      : slot_(slot), shards_(shards), began_(began) {}

  [[nodiscard]] std::uint32_t slot() const { return slot_; }

  /// Brings `out` up to date with what is counted, and with the last scan. A service at rest costs a look at
  /// `dirty`.
  void sample(Nanoseconds now, const telemetry_scan& scan, ServiceTelemetry& out);

  /// After a scan, before sample(): what was read since the scan `before` is progress of then at least.
  void note_scan(Nanoseconds before, const telemetry_scan& scan, telemetry_pulse& pulse);

  /// Would it help to ask the listener? No tracepoint tells of an accept(), so of new connections that have
  /// been there for 100 ms while nothing moved nobody knows whether they wait.
  [[nodiscard]] bool is_suspicious(Nanoseconds now, const telemetry_pulse& pulse) const;
  /// After sample(), when the listener was asked since. An empty queue is progress.
  void note_queue(Nanoseconds now, std::uint32_t queue, telemetry_pulse& pulse);
  void judge(Nanoseconds now, const telemetry_scan& scan, const telemetry_pulse& pulse,
             ServiceTelemetry& out);

 private:
  using FastWindow = HistogramWindow<4, 45'000'000>;
  using SecondWindow = HistogramWindow<5, 190'000'000>;
  /// Only while there is traffic: 30 KB.
  struct Windows {
    explicit Windows(Nanoseconds began, const Histogram& response, const Histogram& handshake,
                     const Histogram& srtt);
    FastWindow fast_response, fast_handshake;
    SecondWindow response, handshake, srtt;
  };
  struct Totals {
    Histogram response{}, handshake{}, srtt{};
  };

  [[nodiscard]] bool take_dirty();
  void read_counters(ServiceTelemetry& out);
  void read_histograms(ServiceTelemetry& out);
  void update_windows(Nanoseconds now, const telemetry_scan& scan, ServiceTelemetry& out);
  [[nodiscard]] bool may_be_queued() const { return empty_at_ != new_connections_; }

  std::uint32_t slot_;
  std::span<telemetry_shard> shards_;
  Nanoseconds began_;
  Nanoseconds changed_;
  Totals totals_;
  std::uint64_t abandoned_ = 0;
  std::uint64_t new_connections_ = 0;
  std::uint64_t empty_at_ = 0;  // new_connections_ when the accept queue was last seen empty
  bool queue_seen_ = false;     // it was not, when last asked
  bool unread_ = false;
  std::unique_ptr<Windows> windows_;
  StallWatch stall_watch_;
};

}  // namespace penstock

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
  /// `shards` are all zero; `counted` as TelemetryProgram tells it.
  ServiceRecord(std::uint32_t slot, std::span<telemetry_shard> shards, abi_u32 counted, Nanoseconds began)
      : slot_(slot), shards_(shards), counted_(counted), began_(began) {}

  [[nodiscard]] std::uint32_t slot() const { return slot_; }

  /// Brings `out` up to date, but for what listeners know. A service at rest costs a look at `dirty`.
  void sample(Nanoseconds now, ServiceTelemetry& out);

  /// Would it help to ask the listener? Connections have waited for 100 ms, if they do wait: of one of which
  /// nothing was read nobody knows whether it was accepted.
  [[nodiscard]] bool is_suspicious(Nanoseconds now, const telemetry_pulse& pulse) const;
  /// After sample(), when the listener was asked since. An empty queue is progress.
  void note_queue(Nanoseconds now, std::uint32_t queue, telemetry_pulse& pulse);
  void judge(Nanoseconds now, const telemetry_pulse& pulse, ServiceTelemetry& out);

  /// Takes the steps [first, last) out of the ring of waiting requests, whose programs look for them in
  /// `ancient` by now.
  void retire(std::uint64_t first, std::uint64_t last);

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
  void update_windows(Nanoseconds now, ServiceTelemetry& out);
  [[nodiscard]] Histogram still_waiting(Nanoseconds now) const;
  [[nodiscard]] bool may_be_queued() const { return queued_ && empty_at_ != new_connections_; }

  std::uint32_t slot_;
  std::span<telemetry_shard> shards_;
  abi_u32 counted_;
  Nanoseconds began_;
  Nanoseconds changed_;
  Totals totals_;
  std::uint64_t abandoned_ = 0;
  std::uint64_t new_connections_ = 0;
  std::optional<std::uint64_t> empty_at_;  // new connections when the accept queue was last seen empty
  bool queue_seen_ = false;                // it was not, when last asked
  bool queued_ = false;
  bool unread_ = false;
  std::unique_ptr<Windows> windows_;
  StallWatch stall_watch_;
};

}  // namespace penstock

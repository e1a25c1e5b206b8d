// What this host's kernel sees of the services' connections, in both directions: bpf/telemetry.bpf.c loaded,
// fed with the services, and read.
//
// Theory of operation: programs on a handful of the kernel's TCP tracepoints keep counters and histograms per
// service in memory that is mapped here; for a service without traffic, reading it is one look at one cache
// line per group of CPUs. What waits is found by walking through the connections. What only listeners know
// (accept queue, drops) is asked of all of them at once, a few times a second. Only connections of this
// process's network namespace count. Links die with the process: a restarted agent starts from zero, and
// picks up connections that were there before when they next receive or send something.
//
// A request is what a connection receives while nothing received before waits for an answer; its response
// begins with the next bytes that the application sends. The time between counts from the last bytes received
// before the response, so that a slow upload is not the server's delay. Protocols with several requests
// under way on one connection (HTTP/2) are seen as one request after the other.
//
// Measured are TCP services of one address and one port. A prefix, a range or every port is left out, and
// problems() says so; other protocols are left out in silence. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/base/units.h"
#include "penstock/config/vip_key.h"

namespace penstock {

/// At most 1/16 off, for times of 8 us and more.
struct TimeQuantiles {
  double p50_us = 0;
  double p99_us = 0;
};

/// Of one service. Counters count from when the service was set. What nobody measured is absent; counters
/// whose hook is missing stay zero.
struct ServiceTelemetry {
  std::uint64_t new_connections = 0;  // accepted by the kernel
  std::uint64_t established = 0;      // now: the application has not closed, nor was there a reset
  std::uint64_t closes = 0;
  std::uint64_t resets_sent = 0;
  std::uint64_t resets_received = 0;
  std::uint64_t retransmits = 0;   // segments
  std::uint64_t syn_drops = 0;     // what the listener dropped of handshakes, for whatever reason
  std::uint64_t accept_drops = 0;  // of them, while the accept queue was full
  std::uint64_t requests = 0;
  std::uint64_t responses = 0;
  std::uint64_t waiting = 0;   // requests without an answer, now
  std::uint64_t bytes_in = 0;  // of payload; a quiet connection's last response is added with what comes next
  std::uint64_t bytes_out = 0;

  std::optional<TimeQuantiles> handshake;  // SYN-ACK sent -> ACK received, of the last second
  std::optional<TimeQuantiles> response;   // request received -> first byte sent, of the last second
  /// The same of the last 200 ms, for the probes. Requests that wait longer than half of the answered ones
  /// took are in it with the time that they have waited so far.
  std::optional<TimeQuantiles> fast_handshake;
  std::optional<TimeQuantiles> fast_response;
  std::optional<double> srtt_us;  // median over connections that were active in the last second

  struct AcceptQueueFill {
    std::uint32_t queue = 0;
    std::uint32_t limit = 0;
  };
  std::optional<AcceptQueueFill> accept;  // at most half a second old; absent: nobody listens

  /// For how long work has been waiting (connections in the accept queue, or requests that nobody has begun
  /// to read) while the application did nothing with any connection of the service; 0: no such work. Not
  /// beyond 250 ms while that is the service's usual pace. Absent: the hooks for it are missing.
  std::optional<Nanoseconds> stalled;
};

class Telemetry {
 public:
  /// Loads and attaches what this kernel has; what it has not is a problem, not an error. `without` names
  /// hooks (see hooks.h) to be treated as if the kernel had not them.
  static Result<std::unique_ptr<Telemetry>> load(const std::set<std::string>& without = {});
  ~Telemetry();  // detaches
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;

  /// Services that stay keep their counters.
  Status set_services(const std::set<VipKey>& services);

  /// `now`: CLOCK_MONOTONIC. To be called every 50 ms or so; the windows are as exact as that. The answer is
  /// valid until the next call of set_services().
  const std::map<VipKey, ServiceTelemetry>& sample(Nanoseconds now);

  /// One sentence for each thing that is not measured.
  [[nodiscard]] std::vector<std::string> problems() const;

 private:
  struct State;
  explicit Telemetry(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace penstock

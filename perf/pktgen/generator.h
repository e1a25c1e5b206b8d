// Sends a scenario's traffic out of one port, takes what comes back on it, and counts: one thread, run to
// completion, TSC for pace and time stamps.
//
// Flows send in turn, so that packets of one flow follow each other as closely as the number of flows allows,
// and neither sending nor receiving misses the cache more than the dataplane does. A generator that falls
// behind its pace (its core was taken away) lets the time go instead of catching up in one long burst; the
// rate that a trial reports is the one that it really offered.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "perf/pktgen/rate_search.h"
#include "perf/pktgen/scenario.h"
#include "perf/pktgen/traffic.h"

namespace penstock::perf {

struct WireSettings {
  std::string port;  // a device and its arguments, as for penstock-dataplane
  unsigned cpu = 1;  // the calling thread is pinned there
  std::uint64_t memory_mb = 256;
  bool no_huge = false;
};

/// EAL, the port and its buffers. One per process, used by the thread that opened it.
class Wire {
 public:
  /// Waits up to ten seconds for the link. InvalidArgument or Unavailable in one sentence.
  static Result<std::unique_ptr<Wire>> open(const WireSettings& settings);
  ~Wire();

  /// Packets that went out of and came in through the port since it was opened.
  struct Totals {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;
  };
  [[nodiscard]] Totals totals() const;
  [[nodiscard]] double cycles_per_second() const;

 private:
  friend class Generator;
  struct Parts;
  explicit Wire(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

class Generator {
 public:
  /// frame_bytes: the sizes to repeat, of scenario.frame_bytes all or one.
  Generator(Wire& wire, const Scenario& scenario, std::vector<std::uint16_t> frame_bytes,
            const Target& target);
  ~Generator();

  /// Opens every flow: a SYN, then an ACK, at the pace at which they come back. Unavailable when less than
  /// 99 % of them do in the last of three rounds.
  Status establish();

  /// Sends for `seconds` at `pps` (0: as fast as the port takes packets), then waits until nothing more
  /// comes.
  Trial trial(double pps, double seconds);

 private:
  class Engine;
  std::unique_ptr<Engine> engine_;
};

}  // namespace penstock::perf

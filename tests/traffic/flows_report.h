// The state of all long-lived flows as one line of JSON.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/traffic/download.h"
#include "tests/traffic/echo_flow.h"
#include "tests/traffic/udp_session.h"

namespace penstock::traffic {

/// Which flow belongs to which target: the index among the targets of its kind, as given on the command line.
template <class T>
struct Placed {
  std::size_t target;
  std::unique_ptr<T> flow;
};

struct Flows {
  std::vector<Placed<EchoFlow>> connections;
  std::vector<Placed<UdpSession>> sessions;
  std::vector<Placed<Download>> downloads;
};

/// {"report":TAG,"at":S,
///  "connections":[[target,backend,broken,broken_at_s,gap_ms,gap_began_s,answered,retransmitted],…],
///  "sessions":[[target,backend,sent,answered,lost,moved,gap_ms,gap_began_s],…],
///  "downloads":[[target,backend,broken,broken_at_s,gap_ms,gap_began_s,bytes,completed],…]}
/// Times are CLOCK_MONOTONIC seconds; gaps, losses and retransmissions are those since the last mark.
std::string report(const Flows& flows, std::string_view tag, Nanoseconds now);

}  // namespace penstock::traffic

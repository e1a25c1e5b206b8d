// The record of a run: one entry per request, written as JSON lines to standard output.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <string_view>

#include "penstock/base/units.h"

namespace penstock::traffic {

/// One request or datagram, answered or not. Times are CLOCK_MONOTONIC, so that another process on the same
/// machine can lay its own events beside them.
struct Record {
  std::string_view kind;       // "http": own connection; "long": one of many on a connection; "udp": datagram
  std::size_t target = 0;      // index among the targets of that kind
  Nanoseconds start;           // when the request was begun (connect for "http")
  Nanoseconds end;             // answer complete, or given up
  std::string backend;         // who answered; empty if nobody did
  std::string error;           // one short reason; empty = success
  std::uint64_t flow = 0;      // unique number of the connection or UDP flow
  std::uint64_t sequence = 0;  // 0 = first on this flow
};

/// Batches records; flush() writes one line `{"requests":[[kind,target,start_s,latency_ms,backend,error,flow,
/// sequence],…]}`. Text from the network is reduced to printable characters without quotes.
class Recorder {
 public:
  void add(const Record& record);
  void flush();
  /// The last line: `{"summary":{"http":{"ok":N,"failed":N},…}}`.
  void finish();

 private:
  struct Count {
    std::uint64_t ok = 0;
    std::uint64_t failed = 0;
  };

  std::string batch_;
  std::map<std::string, Count, std::less<>> counts_;
};

}  // namespace penstock::traffic

// The built penstock-dataplane as a child process, driven as penstock-gateway drives it: gRPC on its socket.
// One thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/proto/dataplane.pb.h"
#include "perf/process/child_process.h"

namespace penstock::perf {

class DataplaneProcess {
 public:
  /// Starts BUILD/bin/penstock-dataplane with a private socket and `flags`, and waits until it answers.
  static Result<DataplaneProcess> start(const std::vector<std::string>& flags);

  DataplaneProcess(DataplaneProcess&&) noexcept;
  ~DataplaneProcess();

  Result<proto::ApplyConfigResponse> apply(const proto::ApplyConfigRequest& request);
  Result<proto::ApplyConfigResponse> update_weights(const proto::UpdateWeightsRequest& request);
  Result<proto::DataplaneStats> stats();
  [[nodiscard]] ChildProcess& process();

 private:
  struct Parts;
  explicit DataplaneProcess(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

/// Packets with this outcome, over all lcores; 0 if there were none.
std::uint64_t outcome_packets(const proto::DataplaneStats& stats, const std::string& outcome);

/// Packets that ended otherwise, or that a port did not take or could not hand over. Exact while packets
/// flow, which a difference between packets received and forwarded is not.
std::uint64_t lost_packets(const proto::DataplaneStats& stats);

enum class Hosts {
  kShared,  // backend b of every service is the same host, under the same id
  kOwn,     // every service has hosts of its own
};

/// `services` services with `backends` backends each: service i is TCP port 80 + i of 203.0.113.10, so that
/// service 0 is what write_flow_capture() aims at. IPIP. Every weight is 100.
proto::ApplyConfigRequest make_config(std::uint64_t generation, std::size_t services, std::size_t backends,
                                      Hosts hosts = Hosts::kShared);

}  // namespace penstock::perf

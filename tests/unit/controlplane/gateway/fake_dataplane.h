// A dataplane made of its contract alone: a real gRPC server on a unix socket whose beats and verdicts a test
// decides.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/gateway/config_id.h"
#include "penstock/proto/dataplane.grpc.pb.h"

namespace penstock::test {

class FakeDataplane final : public proto::Dataplane::Service {
 public:
  using Verdict = std::function<std::vector<proto::Refusal>(const proto::DataplaneConfig&)>;

  explicit FakeDataplane(std::string socket_path, ConfigId running = {});
  ~FakeDataplane() override;

  void refuse_with(Verdict verdict);
  void set_beating(bool beating) { beating_ = beating; }
  /// Ends the heartbeat streams that are open now; the server goes on.
  void break_streams() { ++breaks_; }
  [[nodiscard]] int streams() const { return streams_; }
  /// Packets for the VIP so far.
  void set_packets(std::uint64_t packets) { packets_ = packets; }
  void set_sync(proto::SyncState state) { sync_ = state; }
  /// As a dataplane of an older version.
  void forget_fleet_health() { takes_fleet_ = false; }
  /// Every word on the fleet's health, and how many came in vain.
  [[nodiscard]] std::vector<proto::FleetHealth> fleet() const;
  [[nodiscard]] int fleet_in_vain() const { return fleet_in_vain_; }
  /// Every update of weights that it accepted, and how many came in vain. Refuses what is for another
  /// configuration than runs.
  [[nodiscard]] std::vector<proto::UpdateWeightsRequest> weights() const;
  [[nodiscard]] int weights_in_vain() const { return weights_in_vain_; }
  /// Older versions refuse them, or do not know the call.
  enum class Weights { kTaken, kRefused, kUnimplemented };
  void set_weights(Weights how) { takes_weights_ = how; }
  /// Another configuration comes to run without anybody having applied it.
  void set_running(ConfigId running);
  [[nodiscard]] ConfigId running() const;
  /// Every configuration that was handed in, accepted or not.
  [[nodiscard]] std::vector<proto::DataplaneConfig> applied() const;
  /// Every list of peers, as their addresses, and how many configurations had been applied before it.
  [[nodiscard]] std::vector<std::pair<std::vector<std::string>, std::size_t>> peers() const;

 private:
  grpc::Status ApplyConfig(grpc::ServerContext*, const proto::ApplyConfigRequest*,
                           proto::ApplyConfigResponse*) override;
  grpc::Status GetStats(grpc::ServerContext*, const proto::GetStatsRequest*, proto::DataplaneStats*) override;
  grpc::Status SetPeers(grpc::ServerContext*, const proto::SetPeersRequest*,
                        proto::SetPeersResponse*) override;
  grpc::Status SetFleetHealth(grpc::ServerContext*, const proto::FleetHealth*,
                              proto::SetFleetHealthResponse*) override;
  grpc::Status UpdateWeights(grpc::ServerContext*, const proto::UpdateWeightsRequest*,
                             proto::ApplyConfigResponse*) override;
  grpc::Status Heartbeat(grpc::ServerContext*, const proto::HeartbeatRequest*,
                         grpc::ServerWriter<proto::Beat>*) override;

  mutable std::mutex mutex_;
  ConfigId running_;
  Verdict verdict_;
  std::vector<proto::DataplaneConfig> applied_;
  std::vector<std::pair<std::vector<std::string>, std::size_t>> peers_;
  std::vector<proto::FleetHealth> fleet_;
  std::vector<proto::UpdateWeightsRequest> weights_;
  std::atomic<Weights> takes_weights_{Weights::kTaken};
  std::atomic<int> weights_in_vain_{0};
  std::atomic<bool> takes_fleet_{true};
  std::atomic<int> fleet_in_vain_{0};
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::atomic<std::uint64_t> packets_{0};
  std::atomic<bool> beating_{true};
  std::atomic<int> breaks_{0};
  std::atomic<int> streams_{0};  // ever opened
  std::atomic<proto::SyncState> sync_{proto::SYNC_OFF};
  std::unique_ptr<grpc::Server> server_;
};

/// One service "web" on `vip` with one backend, as configuration `id`.
proto::DataplaneConfig config_with(ConfigId id, const std::string& vip = "203.0.113.10");

}  // namespace penstock::test

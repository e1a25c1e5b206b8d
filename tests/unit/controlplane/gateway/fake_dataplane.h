// A dataplane made of its contract alone: a real gRPC server on a unix socket whose beats and verdicts a test
// decides.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
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
  [[nodiscard]] ConfigId running() const;
  /// Every configuration that was handed in, accepted or not.
  [[nodiscard]] std::vector<proto::DataplaneConfig> applied() const;

 private:
  grpc::Status ApplyConfig(grpc::ServerContext*, const proto::ApplyConfigRequest*,
                           proto::ApplyConfigResponse*) override;
  grpc::Status GetStats(grpc::ServerContext*, const proto::GetStatsRequest*, proto::DataplaneStats*) override;
  grpc::Status Heartbeat(grpc::ServerContext*, const proto::HeartbeatRequest*,
                         grpc::ServerWriter<proto::Beat>*) override;

  mutable std::mutex mutex_;
  ConfigId running_;
  Verdict verdict_;
  std::vector<proto::DataplaneConfig> applied_;
  std::atomic<bool> beating_{true};
  std::unique_ptr<grpc::Server> server_;
};

/// One service "web" on `vip` with one backend, as configuration `id`.
proto::DataplaneConfig config_with(ConfigId id, const std::string& vip = "203.0.113.10");

}  // namespace penstock::test

// A control plane made of its contract alone: records what a gateway reports, sends what a test wants sent.
#pragma once

#include <grpcpp/grpcpp.h>

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "penstock/proto/gateway.grpc.pb.h"

namespace penstock::test {

class FakeControl final : public proto::GatewayControl::Service {
 public:
  /// Listens on a unix socket; target() is what to dial.
  explicit FakeControl(const std::string& socket_path);
  ~FakeControl() override;

  [[nodiscard]] std::string target() const { return target_; }
  void send(const proto::GatewayDirective& directive);
  /// Ends every session that is open now, as a restarting control plane would.
  void drop_sessions();

  [[nodiscard]] std::vector<proto::GatewayReport> reports() const;
  [[nodiscard]] std::size_t hellos() const;
  [[nodiscard]] std::optional<proto::ApplyConfigResponse> last_applied() const;
  [[nodiscard]] std::optional<proto::GatewayStatus> last_status() const;

 private:
  using Stream = grpc::ServerReaderWriter<proto::GatewayDirective, proto::GatewayReport>;
  grpc::Status Session(grpc::ServerContext* context, Stream* stream) override;

  std::string target_;
  mutable std::mutex mutex_;
  std::vector<proto::GatewayReport> reports_;
  std::vector<std::pair<grpc::ServerContext*, Stream*>> open_;
  std::unique_ptr<grpc::Server> server_;
};

proto::GatewayDirective directive(const proto::DataplaneConfig& config, bool announce = true);

}  // namespace penstock::test

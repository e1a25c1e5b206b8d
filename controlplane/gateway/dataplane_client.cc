#include "controlplane/gateway/dataplane_client.h"

#include <mutex>
#include <set>
#include <utility>

#include "controlplane/gateway/dataplane_channel.h"
#include "penstock/proto/dataplane.grpc.pb.h"

namespace penstock {
namespace {

// Compiling 10,000 services takes the dataplane seconds, and a busy host makes that longer.
constexpr std::chrono::seconds kApplyDeadline{60};
constexpr std::chrono::seconds kPeersDeadline{1};
constexpr std::chrono::seconds kFleetDeadline{1};
constexpr std::chrono::seconds kWeightsDeadline{10};

}  // namespace

struct DataplaneClient::Connection {
  std::string socket_path;
  std::unique_ptr<proto::Dataplane::Stub> stub;

  std::mutex mutex;  // the two below
  bool cancelled = false;
  std::set<grpc::ClientContext*> calls;

  template <class Call>
  grpc::Status call(std::chrono::milliseconds deadline, Call&& make) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + deadline);
    {
      const std::lock_guard lock(mutex);
      if (cancelled) return {grpc::StatusCode::CANCELLED, "this process ends"};
      calls.insert(&context);
    }
    const grpc::Status status = make(context);
    const std::lock_guard lock(mutex);
    calls.erase(&context);
    return status;
  }

  [[nodiscard]] Error error(const grpc::Status& status) const {
    return unavailable("the dataplane at " + socket_path + " does not answer: " + status.error_message());
  }
};

DataplaneClient::DataplaneClient(const std::string& socket_path)
    : connection_(std::make_unique<Connection>()) {
  connection_->socket_path = socket_path;
  connection_->stub = proto::Dataplane::NewStub(dataplane_channel(socket_path));
}

DataplaneClient::~DataplaneClient() = default;

Result<proto::ApplyConfigResponse> DataplaneClient::apply(const proto::DataplaneConfig& config) {
  proto::ApplyConfigRequest request;
  *request.mutable_config() = config;
  proto::ApplyConfigResponse response;
  const auto status = connection_->call(kApplyDeadline, [&](grpc::ClientContext& context) {
    return connection_->stub->ApplyConfig(&context, request, &response);
  });
  if (!status.ok()) return connection_->error(status);
  return response;
}

Result<proto::DataplaneStats> DataplaneClient::stats(std::chrono::milliseconds deadline,
                                                     const std::vector<std::string>& services) {
  proto::GetStatsRequest request;
  *request.mutable_services() = {services.begin(), services.end()};
  proto::DataplaneStats response;
  const auto status = connection_->call(deadline, [&](grpc::ClientContext& context) {
    return connection_->stub->GetStats(&context, request, &response);
  });
  if (!status.ok()) return connection_->error(status);
  return response;
}

Result<proto::SetPeersResponse> DataplaneClient::set_peers(
    const google::protobuf::RepeatedPtrField<proto::SyncPeer>& peers) {
  proto::SetPeersRequest request;
  *request.mutable_peers() = peers;
  proto::SetPeersResponse response;
  const auto status = connection_->call(kPeersDeadline, [&](grpc::ClientContext& context) {
    return connection_->stub->SetPeers(&context, request, &response);
  });
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) return response;
  if (!status.ok()) return connection_->error(status);
  return response;
}

Status DataplaneClient::set_fleet_health(const proto::FleetHealth& fleet) {
  proto::SetFleetHealthResponse response;
  const auto status = connection_->call(kFleetDeadline, [&](grpc::ClientContext& context) {
    return connection_->stub->SetFleetHealth(&context, fleet, &response);
  });
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return Error{ErrorCode::kFailedPrecondition, "it is of an older version, and goes by its own probes"};
  }
  if (!status.ok()) return connection_->error(status);
  return Ok{};
}

Result<proto::ApplyConfigResponse> DataplaneClient::update_weights(
    const proto::UpdateWeightsRequest& weights) {
  proto::ApplyConfigResponse response;
  const auto status = connection_->call(kWeightsDeadline, [&](grpc::ClientContext& context) {
    return connection_->stub->UpdateWeights(&context, weights, &response);
  });
  if (status.error_code() == grpc::StatusCode::UNIMPLEMENTED) {
    return Error{ErrorCode::kFailedPrecondition, "it is of an older version, and keeps the configured ones"};
  }
  if (!status.ok()) return connection_->error(status);
  return response;
}

void DataplaneClient::cancel() {
  const std::lock_guard lock(connection_->mutex);
  connection_->cancelled = true;
  for (grpc::ClientContext* context : connection_->calls) context->TryCancel();
}

}  // namespace penstock

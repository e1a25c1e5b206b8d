// The dataplane's unary calls, as Results. Calls block the calling thread up to their deadline; cancel() from
// any other thread ends them, and every later one, at once.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

class DataplaneClient {
 public:
  explicit DataplaneClient(const std::string& socket_path);
  DataplaneClient(const DataplaneClient&) = delete;
  DataplaneClient& operator=(const DataplaneClient&) = delete;
  ~DataplaneClient();

  /// Accepted or refused, the dataplane answered. Unavailable: it did not, and what it runs is unknown.
  Result<proto::ApplyConfigResponse> apply(const proto::DataplaneConfig& config);
  /// services: only these, where not empty; a dataplane of an older version tells everything all the same.
  Result<proto::DataplaneStats> stats(std::chrono::milliseconds deadline,
                                      const std::vector<std::string>& services = {});
  /// A dataplane of a version without replication accepts every list and does nothing with it.
  Result<proto::SetPeersResponse> set_peers(const google::protobuf::RepeatedPtrField<proto::SyncPeer>& peers);
  /// FailedPrecondition: the dataplane is of a version that does not take it.
  Status set_fleet_health(const proto::FleetHealth& fleet);
  /// Accepted or refused, the dataplane answered. FailedPrecondition: it is of a version that does not take
  /// them.
  Result<proto::ApplyConfigResponse> update_weights(const proto::UpdateWeightsRequest& weights);
  void cancel();

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

}  // namespace penstock

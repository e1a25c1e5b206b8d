#include "fake_dataplane.h"

#include <chrono>
#include <thread>

#include "controlplane/gateway/realtime.h"

namespace penstock::test {

FakeDataplane::FakeDataplane(std::string socket_path, ConfigId running) : running_(running) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + socket_path, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeDataplane::~FakeDataplane() { server_->Shutdown(std::chrono::system_clock::now()); }

void FakeDataplane::refuse_with(Verdict verdict) {
  const std::lock_guard lock(mutex_);
  verdict_ = std::move(verdict);
}

ConfigId FakeDataplane::running() const {
  const std::lock_guard lock(mutex_);
  return running_;
}

std::vector<proto::DataplaneConfig> FakeDataplane::applied() const {
  const std::lock_guard lock(mutex_);
  return applied_;
}

grpc::Status FakeDataplane::ApplyConfig(grpc::ServerContext*, const proto::ApplyConfigRequest* request,
                                        proto::ApplyConfigResponse* response) {
  const std::lock_guard lock(mutex_);
  applied_.push_back(request->config());
  if (verdict_) {
    for (auto& refusal : verdict_(request->config())) *response->add_refusals() = refusal;
  }
  response->set_accepted(response->refusals().empty());
  if (response->accepted()) running_ = id_of(request->config());
  response->set_running_epoch(running_.epoch);
  response->set_running_generation(running_.generation);
  return grpc::Status::OK;
}

grpc::Status FakeDataplane::GetStats(grpc::ServerContext*, const proto::GetStatsRequest*,
                                     proto::DataplaneStats* response) {
  const std::lock_guard lock(mutex_);
  response->set_epoch(running_.epoch);
  response->set_generation(running_.generation);
  response->set_received_packets(42);
  response->set_uptime_ns(static_cast<std::uint64_t>(
      std::chrono::nanoseconds(std::chrono::steady_clock::now() - began_).count()));
  auto* service = response->add_services();
  service->set_service("web");
  service->add_outcomes()->set_packets(packets_);
  auto* backend = service->add_backends();
  backend->set_flows(3);
  backend->set_next_hop("02:00:00:00:00:01");
  return grpc::Status::OK;
}

std::vector<std::pair<std::vector<std::string>, std::size_t>> FakeDataplane::peers() const {
  const std::lock_guard lock(mutex_);
  return peers_;
}

grpc::Status FakeDataplane::SetPeers(grpc::ServerContext*, const proto::SetPeersRequest* request,
                                     proto::SetPeersResponse* response) {
  const std::lock_guard lock(mutex_);
  auto& [addresses, applied_before] = peers_.emplace_back();
  for (const proto::SyncPeer& peer : request->peers()) addresses.push_back(peer.address());
  applied_before = applied_.size();
  response->set_accepted(true);
  return grpc::Status::OK;
}

std::vector<proto::FleetHealth> FakeDataplane::fleet() const {
  const std::lock_guard lock(mutex_);
  return fleet_;
}

grpc::Status FakeDataplane::SetFleetHealth(grpc::ServerContext*, const proto::FleetHealth* request,
                                           proto::SetFleetHealthResponse*) {
  if (!takes_fleet_) {
    ++fleet_in_vain_;
    return {grpc::StatusCode::UNIMPLEMENTED, ""};
  }
  const std::lock_guard lock(mutex_);
  fleet_.push_back(*request);
  return grpc::Status::OK;
}

std::vector<proto::UpdateWeightsRequest> FakeDataplane::weights() const {
  const std::lock_guard lock(mutex_);
  return weights_;
}

void FakeDataplane::set_running(ConfigId running) {
  const std::lock_guard lock(mutex_);
  running_ = running;
}

grpc::Status FakeDataplane::UpdateWeights(grpc::ServerContext*, const proto::UpdateWeightsRequest* request,
                                          proto::ApplyConfigResponse* response) {
  const std::lock_guard lock(mutex_);
  const Weights how = takes_weights_;
  if (how == Weights::kUnimplemented) {
    ++weights_in_vain_;
    return {grpc::StatusCode::UNIMPLEMENTED, ""};
  }
  response->set_running_epoch(running_.epoch);
  response->set_running_generation(running_.generation);
  response->set_accepted(how == Weights::kTaken && running_.epoch == request->epoch() &&
                         running_.generation == request->base_generation());
  if (response->accepted()) {
    weights_.push_back(*request);
  } else {
    ++weights_in_vain_;
    response->add_refusals()->set_field("generation");
  }
  return grpc::Status::OK;
}

grpc::Status FakeDataplane::Heartbeat(grpc::ServerContext* context, const proto::HeartbeatRequest* request,
                                      grpc::ServerWriter<proto::Beat>* writer) {
  prefer_this_thread(
      "fake-beats");  // a late beat on a busy machine would be a withdrawal, and a false failure
  proto::Beat beat;
  ++streams_;
  const int breaks = breaks_;
  while (!context->IsCancelled() && breaks == breaks_) {
    std::this_thread::sleep_for(std::chrono::milliseconds(request->interval_ms()));
    if (!beating_) continue;
    const ConfigId now = running();
    beat.set_sequence(beat.sequence() + 1);
    beat.set_epoch(now.epoch);
    beat.set_generation(now.generation);
    beat.set_sync(sync_);
    if (!writer->Write(beat)) break;
  }
  return grpc::Status::OK;
}

proto::DataplaneConfig config_with(ConfigId id, const std::string& vip) {
  proto::DataplaneConfig config;
  config.set_epoch(id.epoch);
  config.set_generation(id.generation);
  config.set_hash_key(std::string(32, 'k'));
  auto* service = config.add_services();
  service->set_id("web");
  service->set_vip(vip);
  service->set_protocol(proto::TCP);
  service->set_port(80);
  service->set_encap(proto::GUE);
  auto* backend = service->add_backends();
  backend->set_id("be1");
  backend->set_address("10.0.31.2");
  backend->set_weight(1);
  return config;
}

}  // namespace penstock::test

#include "dataplane/control/control_server.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "dataplane/control/fleet_health.h"
#include "dataplane/control/stats_report.h"
#include "penstock/base/clock.h"
#include "penstock/proto/dataplane.grpc.pb.h"

namespace penstock {
namespace {

using std::chrono::milliseconds;

// A worker that has not finished a poll for this long forwards nothing; every idle policy wakes well before.
constexpr Nanoseconds kStalled = Nanoseconds::from_millis(50);
constexpr std::uint32_t kMinIntervalMs = 10;
constexpr std::uint32_t kMaxIntervalMs = 1000;
constexpr int kMaxMessageBytes = 256 << 20;    // 100,000 backends take about 8 MB
constexpr std::size_t kBucketsPerLook = 4096;  // how long a dump holds up a change of configuration
constexpr milliseconds kShutdownPatience{200};

class DataplaneService final : public proto::Dataplane::Service {
 public:
  DataplaneService(ConfigApplier& applier, EngineView engine)
      : applier_(applier), engine_(std::move(engine)), started_(monotonic_now()) {}

  grpc::Status ApplyConfig(grpc::ServerContext*, const proto::ApplyConfigRequest* request,
                           proto::ApplyConfigResponse* response) override {
    answer(applier_.apply(request->config()), *response);
    return grpc::Status::OK;
  }

  grpc::Status UpdateWeights(grpc::ServerContext*, const proto::UpdateWeightsRequest* request,
                             proto::ApplyConfigResponse* response) override {
    answer(applier_.update_weights(*request), *response);
    return grpc::Status::OK;
  }

  grpc::Status GetStats(grpc::ServerContext*, const proto::GetStatsRequest* request,
                        proto::DataplaneStats* response) override {
    response->set_uptime_ns((monotonic_now() - started_).count());
    response->set_weights_version(applier_.weights_version());
    if (!request->services().empty()) {
      const std::set<std::string, std::less<>> wanted(request->services().begin(), request->services().end());
      applier_.with_snapshot(
          [&](const Snapshot& snapshot) { report_services_only(snapshot, engine_, wanted, *response); });
      return grpc::Status::OK;
    }
    applier_.with_snapshot([&](const Snapshot& snapshot) { report_stats(snapshot, engine_, *response); });
    report_sync(engine_.replication, *response->mutable_sync());
    return grpc::Status::OK;
  }

  grpc::Status SetPeers(grpc::ServerContext*, const proto::SetPeersRequest* request,
                        proto::SetPeersResponse* response) override {
    if (engine_.replication == nullptr)
      return {grpc::StatusCode::FAILED_PRECONDITION,
              "replication is off: penstock-dataplane has no --sync-address"};
    std::vector<std::pair<std::string, std::string>> peers;
    for (const auto& peer : request->peers()) peers.emplace_back(peer.gateway(), peer.address());
    const auto refusals = engine_.replication->set_peers(peers);
    response->set_accepted(refusals.empty());
    add_refusals(refusals, *response);
    return grpc::Status::OK;
  }

  grpc::Status SetFleetHealth(grpc::ServerContext*, const proto::FleetHealth* request,
                              proto::SetFleetHealthResponse*) override {
    if (!engine_.fleet) return {grpc::StatusCode::FAILED_PRECONDITION, "nobody judges backends here"};
    const FleetVerdicts known = applier_.with_snapshot(
        [&](const Snapshot& snapshot) { return read_fleet_health(snapshot, *request); });
    if (known.unknown != 0 && known.unknown != unknown_verdicts_.exchange(known.unknown))
      spdlog::warn("{} verdicts of the fleet name no backend that runs here", known.unknown);
    engine_.fleet(known.verdicts);
    return grpc::Status::OK;
  }

  grpc::Status DumpFlows(grpc::ServerContext* context, const proto::DumpFlowsRequest* request,
                         grpc::ServerWriter<proto::Flow>* writer) override {
    std::uint64_t left = request->limit() == 0 ? UINT64_MAX : request->limit();
    for (std::size_t lcore = 0; lcore < engine_.flows.size(); ++lcore) {
      const std::size_t buckets = engine_.flows[lcore]->bucket_count();
      for (std::size_t first = 0; first < buckets && left > 0; first += kBucketsPerLook) {
        if (context->IsCancelled()) return grpc::Status::CANCELLED;
        // Written outside the lock: a slow reader must not hold up a change of configuration.
        const auto flows = applier_.with_snapshot([&](const Snapshot& snapshot) {
          return report_flows(snapshot, engine_, lcore, first, kBucketsPerLook, request->service());
        });
        for (const proto::Flow& flow : flows) {
          if (left-- == 0 || !writer->Write(flow)) return grpc::Status::OK;
        }
      }
    }
    return grpc::Status::OK;
  }

  grpc::Status Heartbeat(grpc::ServerContext* context, const proto::HeartbeatRequest* request,
                         grpc::ServerWriter<proto::Beat>* writer) override {
    if (request->interval_ms() < kMinIntervalMs || request->interval_ms() > kMaxIntervalMs) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "interval_ms: must be 10-1000"};
    }
    const milliseconds interval(request->interval_ms());
    auto next = std::chrono::steady_clock::now();
    std::uint64_t sequence = 0;
    while (!context->IsCancelled() && !wait_until(next)) {
      const Nanoseconds progress = engine_.oldest_progress();
      if (progress <= kStalled && !write_beat(*writer, ++sequence, progress)) break;
      // From now, not from the last due time: after a pause of this thread no beats are made up for.
      next = std::max(next + interval, std::chrono::steady_clock::now());
    }
    return grpc::Status::OK;
  }

  void stop_heartbeats() {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    stop_.notify_all();
  }

 private:
  static void answer(const ConfigApplier::Verdict& verdict, proto::ApplyConfigResponse& response) {
    response.set_accepted(verdict.accepted);
    response.set_running_epoch(verdict.running_epoch);
    response.set_running_generation(verdict.running_generation);
    add_refusals(verdict.refusals, response);
    for (const Error& refusal : verdict.refusals) spdlog::warn("configuration refused: {}", refusal.text());
  }

  template <class Response>
  static void add_refusals(const std::vector<Error>& refusals, Response& response) {
    for (const Error& refusal : refusals) {
      auto* out = response.add_refusals();
      out->set_field(refusal.field);
      out->set_message(refusal.message);
    }
  }

  bool write_beat(grpc::ServerWriter<proto::Beat>& writer, std::uint64_t sequence, Nanoseconds progress) {
    proto::Beat beat;
    beat.set_sequence(sequence);
    beat.set_epoch(applier_.epoch());
    beat.set_generation(applier_.generation());
    beat.set_oldest_progress_us(progress.count() / 1000);
    beat.set_sync(engine_.replication != nullptr ? sync_state(engine_.replication->stage())
                                                 : proto::SYNC_OFF);
    return writer.Write(beat);
  }

  /// True when the service is stopping.
  bool wait_until(std::chrono::steady_clock::time_point when) {
    std::unique_lock lock(mutex_);
    return stop_.wait_until(lock, when, [this] { return stopping_; });
  }

  ConfigApplier& applier_;
  const EngineView engine_;
  const Nanoseconds started_;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::atomic<std::size_t> unknown_verdicts_{0};  // of the fleet's last word
};

}  // namespace

class ControlServer::Impl {
 public:
  Impl(std::string path, ConfigApplier& applier, EngineView engine)
      : path_(std::move(path)), service_(applier, std::move(engine)) {}

  ~Impl() {
    service_.stop_heartbeats();
    if (server_) server_->Shutdown(std::chrono::system_clock::now() + kShutdownPatience);
    server_.reset();
    unlink(path_.c_str());
  }

  Status listen() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("unix:" + path_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
    builder.SetMaxSendMessageSize(kMaxMessageBytes);
    // The socket is born without permissions for others; there is no moment in which they could connect.
    const mode_t before = umask(0177);
    server_ = builder.BuildAndStart();
    umask(before);
    if (!server_) return unavailable("cannot listen on " + path_);
    return Ok{};
  }

  void stop_heartbeats() { service_.stop_heartbeats(); }

 private:
  const std::string path_;
  DataplaneService service_;
  std::unique_ptr<grpc::Server> server_;
};

ControlServer::ControlServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ControlServer::~ControlServer() = default;

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& socket_path,
                                                            ConfigApplier& applier, EngineView engine) {
  auto impl = std::make_unique<Impl>(socket_path, applier, std::move(engine));
  if (auto listening = impl->listen(); !listening) return listening.error();
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(impl)));
}

void ControlServer::stop_heartbeats() { impl_->stop_heartbeats(); }

}  // namespace penstock

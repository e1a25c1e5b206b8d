#include "controlplane/stream/sessions.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <spdlog/spdlog.h>

#include <utility>

#include "controlplane/stream/sync_peers.h"
#include "penstock/base/clock.h"
#include "penstock/config/limits.h"

namespace penstock {
namespace {

constexpr std::size_t kMaxVersionLength = 100;
constexpr int kMaxNodeAddresses = 256;
constexpr std::size_t kMaxHelloPeers = 256;

grpc::Status refuse(std::string sentence) {
  return {grpc::StatusCode::INVALID_ARGUMENT, std::move(sentence)};
}

template <class Report>
bool parse(const grpc::ByteBuffer& message, Report& report) {
  // Deserialize consumes its buffer; the copy shares the bytes.
  grpc::ByteBuffer bytes = message;
  return grpc::SerializationTraits<Report>::Deserialize(&bytes, &report).ok();
}

/// What holds for the id in every report: valid in the first, the same in all. `kind` is "gateway" or "node".
grpc::Status check_id(const char* kind, const std::string& own, const std::string& said) {
  const std::string field = kind;
  if (!is_valid_id(said.data(), said.size())) {
    return refuse(field + ": '" + said + "' is no id; use 1–63 characters a–z, 0–9 and inner hyphens (--id)");
  }
  if (!own.empty() && said != own) return refuse(field + ": '" + said + "' in a session of '" + own + "'");
  return grpc::Status::OK;
}

grpc::Status check_version(const std::string& version, const char* field = "hello.version") {
  if (version.size() <= kMaxVersionLength) return grpc::Status::OK;
  return refuse(std::string(field) + ": longer than " + std::to_string(kMaxVersionLength) + " bytes");
}

/// Peers that a gateway had are hints: those that no directive could have named are left out.
std::vector<proto::SyncPeer> believable(const proto::GatewayHello& hello) {
  std::vector<proto::SyncPeer> out;
  for (const proto::SyncPeer& peer : hello.peers()) {
    const std::string& id = peer.gateway();
    if (!is_valid_id(id.data(), id.size()) || sync_address_problem(peer.address())) continue;
    if (out.size() < kMaxHelloPeers) out.push_back(peer);
  }
  return out;
}

/// Enters the session into its table, ending an older one with the same id.
template <class Session, class Table, class Observed>
grpc::Status enter(std::shared_ptr<Session> session, Table& table, Observed observed, const char* kind) {
  const std::string id = observed.id;
  const std::string version = observed.version;
  observed.last_seen = monotonic_now();
  const auto connected = table.connect(session, std::move(observed));
  if (!connected.accepted) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the control plane knows too many peers already"};
  }
  spdlog::info("{} {} connected, version {}", kind, id, version);
  if (connected.displaced) {
    spdlog::warn("{} {} connected again; its older session is ended. Two hosts with one --id?", kind, id);
    connected.displaced->end(
        {grpc::StatusCode::ABORTED, std::string(kind) + " '" + id + "' connected again"});
  }
  return grpc::Status::OK;
}

}  // namespace

grpc::Status GatewaySession::greeted(const proto::GatewayHello& hello) {
  if (!hello.sync_address().empty()) {
    if (const auto wrong = sync_address_problem(hello.sync_address())) {
      return refuse("hello.sync_address: " + *wrong);
    }
  }
  ObservedGateway observed;
  observed.id = id_;
  observed.version = hello.version();
  observed.hello_epoch = hello.epoch();
  observed.hello_generation = hello.generation();
  observed.sync_address = hello.sync_address();
  observed.routing = hello.routing();
  observed.has_peers = believable(hello);
  takes_fleet_health_ = hello.fleet_health();
  takes_weights_ = observed.takes_weights = hello.weights();
  auto self = std::static_pointer_cast<GatewaySession>(shared_from_this());
  const grpc::Status entered = enter(std::move(self), table_, std::move(observed), "gateway");
  if (entered.ok()) greet_();
  return entered;
}

grpc::Status GatewaySession::received(const grpc::ByteBuffer& message) {
  proto::GatewayReport report;
  if (!parse(message, report)) return refuse("not a GatewayReport");
  if (auto status = check_id("gateway", id_, report.gateway()); !status.ok()) return status;
  if (id_.empty() != report.has_hello()) {
    return refuse(report.has_hello() ? "hello: came twice" : "hello: must be the first message of a session");
  }
  if (report.has_hello()) {
    if (auto status = check_version(report.hello().version()); !status.ok()) return status;
    if (auto status = check_version(report.hello().routing(), "hello.routing"); !status.ok()) return status;
    if (auto status = check_certificate("gateway", report.gateway()); !status.ok()) return status;
    id_ = report.gateway();
    return greeted(report.hello());
  }
  std::shared_ptr<const proto::GatewayStatus> status;
  std::shared_ptr<const proto::ApplyConfigResponse> applied;
  if (report.has_status())
    status = std::make_shared<proto::GatewayStatus>(std::move(*report.mutable_status()));
  if (report.has_applied()) {
    applied = std::make_shared<proto::ApplyConfigResponse>(std::move(*report.mutable_applied()));
    for (const proto::Refusal& r : applied->refusals()) {
      spdlog::error("gateway {} refused the configuration: {}: {}", id_, r.field(), r.message());
    }
  }
  std::shared_ptr<const proto::BackendLoads> loads;
  if (report.has_loads()) loads = std::make_shared<proto::BackendLoads>(std::move(*report.mutable_loads()));
  table_.update(id_, this, [&](ObservedGateway& observed) {
    observed.last_seen = monotonic_now();
    if (loads) {
      observed.loads.swap(loads);
      observed.loads_at = observed.last_seen;
    }
    if (status) {
      observed.status.swap(status);
      observed.status_at = observed.last_seen;
    }
    if (applied) observed.applied.swap(applied);
  });
  return grpc::Status::OK;
}

void GatewaySession::gone() {
  if (!id_.empty() && table_.disconnect(id_, this)) spdlog::warn("gateway {} disconnected", id_);
}

grpc::Status NodeSession::greeted(const proto::NodeHello& hello) {
  if (hello.addresses().empty() || hello.addresses_size() > kMaxNodeAddresses) {
    return refuse("hello.addresses: must be 1–" + std::to_string(kMaxNodeAddresses) + " addresses");
  }
  for (int i = 0; i < hello.addresses_size(); ++i) {
    const auto address = IpAddr::parse(hello.addresses(i));
    if (!address) return refuse("hello.addresses[" + std::to_string(i) + "]: " + address.error().message);
    addresses_.push_back(*address);
  }
  ObservedNode observed;
  observed.id = id_;
  observed.version = hello.version();
  observed.addresses = addresses_;
  auto self = std::static_pointer_cast<NodeSession>(shared_from_this());
  const grpc::Status entered = enter(std::move(self), table_, std::move(observed), "node");
  if (entered.ok()) greet_();
  return entered;
}

grpc::Status NodeSession::received(const grpc::ByteBuffer& message) {
  proto::NodeReport report;
  if (!parse(message, report)) return refuse("not a NodeReport");
  if (auto status = check_id("node", id_, report.node()); !status.ok()) return status;
  if (id_.empty() != report.has_hello()) {
    return refuse(report.has_hello() ? "hello: came twice" : "hello: must be the first message of a session");
  }
  if (report.has_hello()) {
    if (auto status = check_version(report.hello().version()); !status.ok()) return status;
    if (auto status = check_certificate("node", report.node()); !status.ok()) return status;
    id_ = report.node();
    return greeted(report.hello());
  }
  std::shared_ptr<const proto::NodeStatus> status;
  if (report.has_status()) status = std::make_shared<proto::NodeStatus>(std::move(*report.mutable_status()));
  table_.update(id_, this, [&](ObservedNode& observed) {
    observed.last_seen = monotonic_now();
    if (status) observed.status.swap(status);
  });
  return grpc::Status::OK;
}

void NodeSession::gone() {
  if (!id_.empty() && table_.disconnect(id_, this)) spdlog::warn("node {} disconnected", id_);
}

}  // namespace penstock

#include "controlplane/stream/streams.h"

#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>

#include <chrono>
#include <memory>
#include <utility>

#include "controlplane/stream/health_feed.h"
#include "controlplane/stream/publisher.h"
#include "controlplane/stream/sessions.h"
#include "controlplane/stream/weight_board.h"
#include "controlplane/stream/weight_feed.h"
#include "penstock/process/tls.h"
#include "penstock/proto/gateway.grpc.pb.h"
#include "penstock/proto/node.grpc.pb.h"

namespace penstock {
namespace {

class GatewayService final
    : public proto::GatewayControl::WithRawCallbackMethod_Session<proto::GatewayControl::Service> {
 public:
  GatewayService(GatewayTable& table, Publisher& publisher) : table_(table), publisher_(publisher) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Session(
      grpc::CallbackServerContext* context) override {
    auto session = std::make_shared<GatewaySession>(*context, table_, [this] { publisher_.greet(); });
    session->open();
    return session.get();
  }

 private:
  GatewayTable& table_;
  Publisher& publisher_;
};

class NodeService final
    : public proto::NodeControl::WithRawCallbackMethod_Session<proto::NodeControl::Service> {
 public:
  NodeService(NodeTable& table, Publisher& publisher) : table_(table), publisher_(publisher) {}

  grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Session(
      grpc::CallbackServerContext* context) override {
    auto session = std::make_shared<NodeSession>(*context, table_, [this] { publisher_.greet(); });
    session->open();
    return session.get();
  }

 private:
  NodeTable& table_;
  Publisher& publisher_;
};

void set_limits(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  // Without this a second process would share the port, and each peer would reach one or the other by chance.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1'000);
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 16);
}

}  // namespace

struct Streams::Parts {
  GatewayTable gateways;
  NodeTable nodes;
  WeightBoard weights;
  Publisher publisher{gateways, nodes};
  HealthFeed health{gateways, nodes, publisher};
  std::unique_ptr<WeightFeed> weight_feed;  // null: nobody plans
  GatewayService gateway_service{gateways, publisher};
  NodeService node_service{nodes, publisher};
  int port = 0;
  std::unique_ptr<grpc::Server> server;  // last: its sessions use all of the above
};

Streams::Streams(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Result<std::unique_ptr<Streams>> Streams::start(const std::string& address, const TlsFiles& tls,
                                                Planning planning) {
  auto credentials = server_credentials(address, tls);
  if (!credentials) return credentials.error();
  auto parts = std::make_unique<Parts>();
  grpc::ServerBuilder builder;
  set_limits(builder);
  builder.AddListeningPort(address, *credentials, &parts->port);
  builder.RegisterService(&parts->gateway_service);
  builder.RegisterService(&parts->node_service);
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr) {
    return unavailable(
        "--grpc " + address +
        ": cannot listen there; is another process on that port, or the address not this host's?");
  }
  if (planning.step) {
    parts->weight_feed = std::make_unique<WeightFeed>(
        parts->gateways, parts->nodes, parts->health, parts->publisher, std::move(planning),
        [&board = parts->weights](auto shown) { board.show(std::move(shown)); });
  }
  return std::unique_ptr<Streams>(new Streams(std::move(parts)));
}

Streams::~Streams() {
  const grpc::Status stopping(grpc::StatusCode::UNAVAILABLE, "the control plane is stopping");
  for (const auto& session : parts_->gateways.streams()) session->end(stopping);
  for (const auto& session : parts_->nodes.streams()) session->end(stopping);
  parts_->server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(1));
  parts_->server->Wait();
}

int Streams::port() const { return parts_->port; }

void Streams::publish(DesiredSnapshot state) {
  parts_->health.follow(state);
  if (parts_->weight_feed) parts_->weight_feed->follow(state);
  parts_->publisher.publish(std::move(state));
}

std::shared_ptr<const HealthSnapshot> Streams::health() const { return parts_->health.now(); }

const WeightBoard& Streams::weights() const { return parts_->weights; }

std::vector<ObservedGateway> Streams::gateways() const { return parts_->gateways.all(); }

std::optional<ObservedGateway> Streams::gateway(std::string_view id) const {
  return parts_->gateways.find(id);
}

std::vector<ObservedNode> Streams::nodes() const { return parts_->nodes.all(); }

std::optional<ObservedNode> Streams::node(std::string_view id) const { return parts_->nodes.find(id); }

void Streams::forget_gateway(std::string_view id) {
  parts_->gateways.forget(id);
  parts_->gateways.each([id](ObservedGateway& other) {
    std::erase_if(other.has_peers, [id](const proto::SyncPeer& peer) { return peer.gateway() == id; });
  });
  parts_->publisher.greet();
}

}  // namespace penstock

#include "controlplane/stream/publisher.h"

#include <grpcpp/impl/codegen/proto_utils.h>
#include <spdlog/spdlog.h>

#include <optional>
#include <utility>

#include "controlplane/model/wire.h"

namespace penstock {
namespace {

template <class Message>
grpc::ByteBuffer serialise(const Message& message) {
  grpc::ByteBuffer bytes;
  bool owned = false;
  const grpc::Status status = grpc::SerializationTraits<Message>::Serialize(message, &bytes, &owned);
  if (!status.ok()) spdlog::error("cannot serialise {}: {}", message.GetTypeName(), status.error_message());
  return bytes;
}

/// The two directives of a generation, each serialised when the first gateway needs it.
class GatewayDirectives {
 public:
  explicit GatewayDirectives(const DesiredState& state) : state_(state) {}

  grpc::ByteBuffer for_gateway(const std::string& id) {
    const auto policy = state_.gateways.find(id);
    const bool announce = policy == state_.gateways.end() || policy->second.announce;
    std::optional<grpc::ByteBuffer>& bytes = announce ? announcing_ : drained_;
    if (!bytes) {
      if (!directive_.has_config()) *directive_.mutable_config() = to_dataplane_config(state_);
      directive_.set_announce(announce);
      bytes = serialise(directive_);
    }
    return *bytes;
  }

 private:
  const DesiredState& state_;
  proto::GatewayDirective directive_;
  std::optional<grpc::ByteBuffer> announcing_;
  std::optional<grpc::ByteBuffer> drained_;
};

std::string services_of(proto::NodeDirective directive) {
  directive.clear_generation();
  return directive.SerializeAsString();
}

}  // namespace

Publisher::Publisher(const GatewayTable& gateways, const NodeTable& nodes)
    : gateways_(gateways), nodes_(nodes), thread_([this] { run(); }) {}

Publisher::~Publisher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Publisher::publish(DesiredSnapshot latest) {
  {
    const std::lock_guard lock(mutex_);
    latest_.swap(latest);
    due_ = true;
  }
  changed_.notify_one();
}

void Publisher::greet() {
  {
    const std::lock_guard lock(mutex_);
    due_ = true;
  }
  changed_.notify_one();
}

void Publisher::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return due_ || stopping_; });
    if (stopping_) return;
    due_ = false;
    DesiredSnapshot state = latest_;
    lock.unlock();
    if (state != nullptr && state->generation != 0) deliver(*state);
    state.reset();
    lock.lock();
  }
}

void Publisher::deliver(const DesiredState& state) {
  deliver_to_gateways(state);
  deliver_to_nodes(state);
}

void Publisher::deliver_to_gateways(const DesiredState& state) {
  GatewayDirectives directives(state);
  for (const auto& session : gateways_.streams()) {
    Offered& offered = session->offered();
    if (offered.generation == state.generation) continue;
    if (offered.generation == 0) {
      const auto observed = gateways_.find(session->id());
      if (observed && observed->hello_epoch == state.epoch && observed->hello_generation > state.generation) {
        spdlog::error(
            "gateway {} runs generation {}, but the store is at {}: it was restored from an older copy. The "
            "gateway keeps what it has until the store has passed it",
            session->id(), observed->hello_generation, state.generation);
      }
    }
    offered.generation = state.generation;
    session->offer(directives.for_gateway(session->id()));
  }
}

// A node hears of a generation only when it changes what the node has to do: with weights moving every
// second, all others would be 5,000 messages that say nothing new.
void Publisher::deliver_to_nodes(const DesiredState& state) {
  std::optional<NodeIndex> index;
  for (const auto& session : nodes_.streams()) {
    Offered& offered = session->offered();
    if (offered.generation == state.generation) continue;
    if (!index) index.emplace(state);
    const proto::NodeDirective directive = index->directive(session->addresses());
    std::string services = services_of(directive);
    const bool first = offered.generation == 0;
    offered.generation = state.generation;
    if (!first && services == offered.services) continue;
    offered.services = std::move(services);
    session->offer(serialise(directive));
  }
}

}  // namespace penstock

// What gateways and nodes say, checked: hello first and once, the same valid id in every report.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "controlplane/stream/observed.h"
#include "controlplane/stream/peer_stream.h"
#include "controlplane/stream/peer_table.h"
#include "penstock/base/units.h"

namespace penstock {

class GatewaySession;
class NodeSession;
using GatewayTable = PeerTable<GatewaySession, ObservedGateway>;
using NodeTable = PeerTable<NodeSession, ObservedNode>;

/// What the publisher last offered on a stream. Only the publisher's thread touches it.
struct Offered {
  std::uint64_t generation = 0;
  std::uint64_t fleet = 0;    // number of the FleetWord, for gateways
  std::uint64_t weights = 0;  // version of the WeightWord, for gateways
  Nanoseconds fleet_at;       // when
  std::string rest;  // serialised: a node's directive without its generation, a gateway's without its config
};

class GatewaySession final : public PeerStream {
 public:
  /// `greet` is called after the hello was accepted. The table outlives the session.
  GatewaySession(grpc::CallbackServerContext& context, GatewayTable& table, std::function<void()> greet)
      : PeerStream(context), table_(table), greet_(std::move(greet)) {}

  /// Set before the session is in the table, constant afterwards.
  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] bool takes_fleet_health() const { return takes_fleet_health_; }
  [[nodiscard]] bool takes_weights() const { return takes_weights_; }
  [[nodiscard]] Offered& offered() { return offered_; }

 private:
  grpc::Status received(const grpc::ByteBuffer& message) override;
  void gone() override;
  grpc::Status greeted(const proto::GatewayHello& hello);

  GatewayTable& table_;
  std::function<void()> greet_;
  std::string id_;
  bool takes_fleet_health_ = false;
  bool takes_weights_ = false;
  Offered offered_;
};

class NodeSession final : public PeerStream {
 public:
  NodeSession(grpc::CallbackServerContext& context, NodeTable& table, std::function<void()> greet)
      : PeerStream(context), table_(table), greet_(std::move(greet)) {}

  [[nodiscard]] const std::string& id() const { return id_; }
  [[nodiscard]] const std::vector<IpAddr>& addresses() const { return addresses_; }
  [[nodiscard]] Offered& offered() { return offered_; }

 private:
  grpc::Status received(const grpc::ByteBuffer& message) override;
  void gone() override;
  grpc::Status greeted(const proto::NodeHello& hello);

  NodeTable& table_;
  std::function<void()> greet_;
  std::string id_;
  std::vector<IpAddr> addresses_;
  Offered offered_;
};

}  // namespace penstock

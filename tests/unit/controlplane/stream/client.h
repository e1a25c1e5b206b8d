// Real gRPC clients for the tests of the streams: every call has a deadline, nothing sleeps for luck.
#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "controlplane/stream/streams.h"
#include "penstock/process/tls.h"
#include "penstock/proto/gateway.grpc.pb.h"
#include "penstock/proto/node.grpc.pb.h"

namespace penstock {

inline constexpr std::chrono::seconds kDeadline{60};

/// Whether `condition` came true before the deadline.
inline bool eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  while (std::chrono::steady_clock::now() < end) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

inline std::unique_ptr<Streams> start_streams() {
  auto streams = Streams::start("127.0.0.1:0", TlsFiles{});
  EXPECT_TRUE(streams) << streams.error().text();
  return std::move(streams).value();
}

/// A connection of its own per client, as separate hosts have.
inline std::shared_ptr<grpc::Channel> channel_to(const Streams& streams) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(streams.port()),
                                   grpc::InsecureChannelCredentials(), arguments);
}

/// One session of either kind; Report and Directive are its messages.
template <class Control, class Report, class Directive>
class Client {
 public:
  explicit Client(const Streams& streams) : Client(channel_to(streams)) {}
  explicit Client(const std::shared_ptr<grpc::Channel>& channel) : stub_(Control::NewStub(channel)) {
    context_.set_deadline(std::chrono::system_clock::now() + kDeadline);
    stream_ = stub_->Session(&context_);
  }
  ~Client() {
    if (!stream_) return;
    context_.TryCancel();
    (void)stream_->Finish();
  }

  bool say(const Report& report) { return stream_->Write(report); }
  std::optional<Directive> hear() {
    Directive directive;
    if (!stream_->Read(&directive)) return std::nullopt;
    return directive;
  }
  /// The status with which the server ended the session.
  grpc::Status ended() {
    while (hear()) {
    }
    const grpc::Status status = stream_->Finish();
    stream_.reset();
    return status;
  }

 private:
  std::unique_ptr<typename Control::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<Report, Directive>> stream_;
};

using GatewayClient = Client<proto::GatewayControl, proto::GatewayReport, proto::GatewayDirective>;
using NodeClient = Client<proto::NodeControl, proto::NodeReport, proto::NodeDirective>;

inline proto::GatewayReport gateway_hello(const std::string& id) {
  proto::GatewayReport report;
  report.set_gateway(id);
  report.mutable_hello()->set_version("0.1.0");
  return report;
}

inline proto::NodeReport node_hello(const std::string& id, const std::string& address) {
  proto::NodeReport report;
  report.set_node(id);
  report.mutable_hello()->set_version("0.1.0");
  report.mutable_hello()->add_addresses(address);
  return report;
}

}  // namespace penstock

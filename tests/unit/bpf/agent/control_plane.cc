#include "tests/unit/bpf/agent/control_plane.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "penstock/proto/node.grpc.pb.h"

namespace penstock {

struct TestControlPlane::State final : proto::NodeControl::Service {
  using Stream = grpc::ServerReaderWriter<proto::NodeDirective, proto::NodeReport>;

  grpc::Status Session(grpc::ServerContext* context, Stream* stream) override {
    bool ended = false;
    std::thread writer([&] { write(*stream, ended); });
    proto::NodeReport report;
    while (stream->Read(&report)) {
      const std::lock_guard lock(mutex);
      if (report.has_hello()) hellos.push_back(report);
      if (report.has_status()) status = report.status();
      changed.notify_all();
    }
    {
      const std::lock_guard lock(mutex);
      ended = true;
      changed.notify_all();
    }
    writer.join();
    return grpc::Status::OK;
  }

  void write(Stream& stream, const bool& ended) {
    std::uint64_t sent = 0;
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [&] { return ended || sent != version; });
      if (ended) return;
      sent = version;
      const proto::NodeDirective copy = directive;
      lock.unlock();
      stream.Write(copy);
      lock.lock();
    }
  }

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::uint64_t version = 0;  // of `directive`
  proto::NodeDirective directive;
  std::vector<proto::NodeReport> hellos;
  std::optional<proto::NodeStatus> status;
  std::unique_ptr<grpc::Server> server;
};

TestControlPlane::TestControlPlane(const std::string& path, const TlsFiles& tls)
    : state_(std::make_unique<State>()) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort("unix:" + path, server_credentials("unix:" + path, tls).value());
  builder.RegisterService(state_.get());
  state_->server = builder.BuildAndStart();
}

TestControlPlane::~TestControlPlane() { state_->server->Shutdown(std::chrono::system_clock::now()); }

void TestControlPlane::direct(proto::NodeDirective directive) {
  const std::lock_guard lock(state_->mutex);
  state_->directive = std::move(directive);
  ++state_->version;
  state_->changed.notify_all();
}

std::optional<proto::NodeStatus> TestControlPlane::wait_for(
    const std::function<bool(const proto::NodeStatus&)>& condition) {
  std::unique_lock lock(state_->mutex);
  const bool met = state_->changed.wait_for(lock, std::chrono::seconds(10),
                                            [&] { return state_->status && condition(*state_->status); });
  return met ? state_->status : std::nullopt;
}

std::vector<proto::NodeReport> TestControlPlane::hellos() const {
  const std::lock_guard lock(state_->mutex);
  return state_->hellos;
}

}  // namespace penstock

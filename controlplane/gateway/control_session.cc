#include "controlplane/gateway/control_session.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include "controlplane/gateway/backoff.h"
#include "penstock/process/tls.h"
#include "penstock/proto/gateway.grpc.pb.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Stream = grpc::ClientReaderWriter<proto::GatewayReport, proto::GatewayDirective>;
constexpr auto kConnectTime = 3000ms;

}  // namespace

struct ControlSession::State {
  Options options;
  Callbacks callbacks;
  Backoff backoff;

  std::mutex mutex;  // down to `open`
  std::condition_variable wake;
  bool stopping = false;
  bool stream_up = false;
  std::deque<proto::ApplyConfigResponse> outbox;
  grpc::ClientContext* open = nullptr;

  std::thread thread;

  State(Options o, Callbacks c)
      : options(std::move(o)),
        callbacks(std::move(c)),
        backoff(options.first_backoff, options.longest_backoff) {}

  void run();
  bool connect(grpc::Channel& channel);
  grpc::Status converse(const std::shared_ptr<grpc::Channel>& channel);
  bool greet(Stream& stream);
  void write_reports(Stream& stream);
};

void ControlSession::State::run() {
  std::string last_reason;
  for (;;) {
    std::string reason;
    {
      const auto channel = open_channel(options.target, options.credentials, options.tls);
      reason = connect(*channel) ? converse(channel).error_message() : "no connection";
    }
    std::unique_lock lock(mutex);
    if (stopping) return;
    const auto pause = backoff.next();
    // The same reason again and again is one line, not one a second.
    if (reason != last_reason) {
      spdlog::warn("control plane {}: {}; everything here goes on as it is, dialling again", options.target,
                   reason.empty() ? "the stream ended" : reason);
    }
    last_reason = reason;
    if (wake.wait_for(lock, pause, [this] { return stopping; })) return;
  }
}

/// Waits in short pieces, so that stopping is not held up by a peer that does not answer.
bool ControlSession::State::connect(grpc::Channel& channel) {
  const auto deadline = std::chrono::steady_clock::now() + kConnectTime;
  (void)channel.GetState(true);
  while (std::chrono::steady_clock::now() < deadline) {
    if (channel.WaitForConnected(std::chrono::system_clock::now() + 100ms)) return true;
    const std::lock_guard lock(mutex);
    if (stopping) return false;
  }
  return false;
}

grpc::Status ControlSession::State::converse(const std::shared_ptr<grpc::Channel>& channel) {
  const auto stub = proto::GatewayControl::NewStub(channel);
  grpc::ClientContext context;
  {
    const std::lock_guard lock(mutex);
    if (stopping) return grpc::Status::CANCELLED;
    open = &context;
    stream_up = true;
    outbox.clear();
  }
  const auto stream = stub->Session(&context);
  std::thread writer;
  if (greet(*stream)) writer = std::thread([this, &stream] { write_reports(*stream); });
  proto::GatewayDirective directive;
  bool first = true;
  while (stream->Read(&directive)) {
    if (std::exchange(first, false)) spdlog::info("session with the control plane {}", options.target);
    backoff.reset();
    callbacks.on_directive(std::move(directive));
    directive.Clear();
  }
  {
    const std::lock_guard lock(mutex);
    stream_up = false;
  }
  wake.notify_all();
  if (writer.joinable()) writer.join();
  const grpc::Status status = stream->Finish();
  const std::lock_guard lock(mutex);
  open = nullptr;
  return status;
}

bool ControlSession::State::greet(Stream& stream) {
  const ConfigId running = callbacks.running();
  proto::GatewayReport report;
  report.set_gateway(options.gateway);
  report.mutable_hello()->set_version(options.version);
  report.mutable_hello()->set_sync_address(options.sync_address);
  report.mutable_hello()->set_routing(options.routing);
  report.mutable_hello()->set_fleet_health(true);
  report.mutable_hello()->set_weights(true);
  report.mutable_hello()->set_epoch(running.epoch);
  report.mutable_hello()->set_generation(running.generation);
  for (proto::SyncPeer& peer : callbacks.peers ? callbacks.peers() : std::vector<proto::SyncPeer>{}) {
    *report.mutable_hello()->add_peers() = std::move(peer);
  }
  return stream.Write(report);
}

void ControlSession::State::write_reports(Stream& stream) {
  auto next_status = std::chrono::steady_clock::now();
  auto next_loads = next_status;
  for (;;) {
    proto::GatewayReport report;
    report.set_gateway(options.gateway);
    {
      std::unique_lock lock(mutex);
      const auto next = callbacks.loads ? std::min(next_status, next_loads) : next_status;
      wake.wait_until(lock, next, [this] { return stopping || !stream_up || !outbox.empty(); });
      if (stopping || !stream_up) return;
      if (!outbox.empty()) {
        *report.mutable_applied() = std::move(outbox.front());
        outbox.pop_front();
      }
    }
    const auto now = std::chrono::steady_clock::now();
    if (!report.has_applied() && now >= next_status) {
      *report.mutable_status() = callbacks.status();
      next_status = std::chrono::steady_clock::now() + options.status_interval;
    } else if (!report.has_applied()) {
      if (!callbacks.loads || now < next_loads) continue;  // woken early
      next_loads = std::max(next_loads + options.loads_interval, now);
      auto loads = callbacks.loads();
      if (!loads) continue;
      *report.mutable_loads() = std::move(*loads);
    }
    if (!stream.Write(report)) return;  // the reader learns why
  }
}

ControlSession::ControlSession(Options options, Callbacks callbacks)
    : state_(std::make_unique<State>(std::move(options), std::move(callbacks))) {}

ControlSession::~ControlSession() { stop(); }

void ControlSession::start() {
  state_->thread = std::thread([state = state_.get()] { state->run(); });
}

void ControlSession::stop() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    if (state_->open != nullptr) state_->open->TryCancel();
  }
  state_->wake.notify_all();
  if (state_->thread.joinable()) state_->thread.join();
}

void ControlSession::report(const proto::ApplyConfigResponse& applied) {
  {
    const std::lock_guard lock(state_->mutex);
    if (!state_->stream_up) return;
    state_->outbox.push_back(applied);
  }
  state_->wake.notify_all();
}

}  // namespace penstock

#include "fake_control.h"

#include <algorithm>
#include <chrono>

namespace penstock::test {

FakeControl::FakeControl(const std::string& socket_path) : target_("unix:" + socket_path) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(target_, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeControl::~FakeControl() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status FakeControl::Session(grpc::ServerContext* context, Stream* stream) {
  {
    const std::lock_guard lock(mutex_);
    open_.emplace_back(context, stream);
  }
  proto::GatewayReport report;
  while (stream->Read(&report)) {
    const std::lock_guard lock(mutex_);
    reports_.push_back(report);
  }
  const std::lock_guard lock(mutex_);
  std::erase_if(open_, [&](const auto& session) { return session.second == stream; });
  return grpc::Status::OK;
}

void FakeControl::send(const proto::GatewayDirective& message) {
  const std::lock_guard lock(mutex_);
  for (auto& [context, stream] : open_) stream->Write(message);
}

void FakeControl::drop_sessions() {
  const std::lock_guard lock(mutex_);
  for (auto& [context, stream] : open_) context->TryCancel();
}

std::vector<proto::GatewayReport> FakeControl::reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

std::size_t FakeControl::hellos() const {
  const auto all = reports();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& r) { return r.has_hello(); }));
}

std::optional<proto::ApplyConfigResponse> FakeControl::last_applied() const {
  const auto all = reports();
  const auto it = std::find_if(all.rbegin(), all.rend(), [](const auto& r) { return r.has_applied(); });
  if (it == all.rend()) return std::nullopt;
  return it->applied();
}

std::optional<proto::GatewayStatus> FakeControl::last_status() const {
  const auto all = reports();
  const auto it = std::find_if(all.rbegin(), all.rend(), [](const auto& r) { return r.has_status(); });
  if (it == all.rend()) return std::nullopt;
  return it->status();
}

proto::GatewayDirective directive(const proto::DataplaneConfig& config, bool announce) {
  proto::GatewayDirective out;
  *out.mutable_config() = config;
  out.set_announce(announce);
  return out;
}

}  // namespace penstock::test

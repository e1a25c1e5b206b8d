#include "bpf/agent/control_session.h"

#include <grpcpp/grpcpp.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "penstock/proto/node.grpc.pb.h"

namespace penstock {

using namespace std::chrono_literals;

class ControlSession::Worker {
 public:
  Worker(ControlSessionSettings settings, std::shared_ptr<grpc::ChannelCredentials> credentials,
         std::function<void()> wake)
      : settings_(std::move(settings)), credentials_(std::move(credentials)), wake_(std::move(wake)) {
    thread_ = std::thread([this] { run(); });
  }

  ~Worker() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (context_ != nullptr) context_->TryCancel();
    }
    changed_.notify_all();
    thread_.join();
  }

  void set_addresses(std::vector<std::string> addresses) {
    const std::lock_guard lock(mutex_);
    if (addresses == addresses_) return;
    addresses_ = std::move(addresses);
    have_addresses_ = true;
    renew_ = true;
    changed_.notify_all();
  }

  void publish(proto::NodeStatus status) {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
    changed_.notify_all();
  }

  std::optional<proto::NodeDirective> take_directive() {
    const std::lock_guard lock(mutex_);
    return std::exchange(directive_, std::nullopt);
  }

 private:
  using Stream = grpc::ClientReaderWriter<proto::NodeReport, proto::NodeDirective>;

  void run() {
    std::mt19937 random(std::random_device{}());
    std::chrono::milliseconds pause = kFirstPause;
    auto channel = open_channel(settings_.target, credentials_, settings_.tls.enabled());
    for (;;) {
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || have_addresses_; });
        if (stopping_) return;
      }
      if (hold_session(channel)) pause = kFirstPause;
      std::unique_lock lock(mutex_);
      if (renew_ && !stopping_) continue;
      const auto jittered =
          pause / 2 + std::chrono::milliseconds(random() % static_cast<unsigned>(pause.count()));
      if (changed_.wait_for(lock, jittered, [&] { return stopping_; })) return;
      pause = std::min(pause * 2, kLongestPause);
    }
  }

  /// One stream from hello to its end. True when the control plane had said something.
  bool hold_session(const std::shared_ptr<grpc::Channel>& channel) {
    if (!dial(*channel)) {
      complain("cannot reach the control plane at " + settings_.target);
      return false;
    }
    grpc::ClientContext context;
    proto::NodeReport hello = make_hello();
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      context_ = &context;
      reader_done_ = false;
      heard_ = false;
    }
    auto stub = proto::NodeControl::NewStub(channel);
    auto stream = stub->Session(&context);
    std::thread reader([&] { read(*stream); });
    if (stream->Write(hello)) write(*stream);
    {
      const std::lock_guard lock(mutex_);
      if (!reader_done_) context.TryCancel();
    }
    reader.join();
    const grpc::Status status = stream->Finish();
    const std::lock_guard lock(mutex_);
    context_ = nullptr;
    if (!stopping_ && !renew_) {
      complain("the control plane ended the session: " +
               (status.error_message().empty() ? std::string("no reason given") : status.error_message()));
    }
    return heard_;
  }

  /// In short steps, so that a stop is not held up.
  bool dial(grpc::Channel& channel) {
    for (int step = 0; step < 20; ++step) {
      if (channel.WaitForConnected(std::chrono::system_clock::now() + kDialTimeout / 20)) return true;
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
    }
    return false;
  }

  proto::NodeReport make_hello() {
    const std::lock_guard lock(mutex_);
    renew_ = false;
    status_.reset();
    proto::NodeReport report;
    report.set_node(settings_.node);
    report.mutable_hello()->set_version(settings_.version);
    for (const std::string& address : addresses_) report.mutable_hello()->add_addresses(address);
    return report;
  }

  void write(Stream& stream) {
    for (;;) {
      proto::NodeReport report;
      report.set_node(settings_.node);
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return stopping_ || renew_ || reader_done_ || status_.has_value(); });
        if (stopping_ || renew_ || reader_done_) return;
        *report.mutable_status() = std::move(*status_);
        status_.reset();
      }
      if (!stream.Write(report)) return;
    }
  }

  void read(Stream& stream) {
    proto::NodeDirective directive;
    while (stream.Read(&directive)) {
      {
        const std::lock_guard lock(mutex_);
        if (!heard_) spdlog::info("connected to the control plane at {}", settings_.target);
        heard_ = true;
        complained_.clear();
        directive_ = std::move(directive);
      }
      directive.Clear();
      wake_();
    }
    const std::lock_guard lock(mutex_);
    reader_done_ = true;
    changed_.notify_all();
  }

  /// Once per reason: a control plane that is away for a night must not fill the log.
  void complain(std::string reason) {
    if (stopping_ || reason == complained_) return;
    spdlog::warn("{}; everything stays as it is, dialling again", reason);
    complained_ = std::move(reason);
  }

  static constexpr std::chrono::milliseconds kFirstPause = 100ms;
  static constexpr std::chrono::milliseconds kLongestPause = 2000ms;  // with jitter up to 3 s
  static constexpr std::chrono::milliseconds kDialTimeout = 2000ms;

  const ControlSessionSettings settings_;
  const std::shared_ptr<grpc::ChannelCredentials> credentials_;
  const std::function<void()> wake_;

  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  bool have_addresses_ = false;
  bool renew_ = false;  // addresses changed since the last hello
  bool reader_done_ = false;
  bool heard_ = false;
  grpc::ClientContext* context_ = nullptr;  // of the running session
  std::vector<std::string> addresses_;
  std::optional<proto::NodeStatus> status_;
  std::optional<proto::NodeDirective> directive_;
  std::string complained_;
  std::thread thread_;
};

ControlSession::ControlSession(std::unique_ptr<Worker> worker) : worker_(std::move(worker)) {}
ControlSession::~ControlSession() = default;

Result<std::unique_ptr<ControlSession>> ControlSession::start(ControlSessionSettings settings,
                                                              std::function<void()> wake) {
  auto credentials = client_credentials(settings.target, settings.tls);
  if (!credentials) return credentials.error();
  auto worker = std::make_unique<Worker>(std::move(settings), *credentials, std::move(wake));
  return std::unique_ptr<ControlSession>(new ControlSession(std::move(worker)));
}

void ControlSession::set_addresses(std::vector<std::string> addresses) {
  worker_->set_addresses(std::move(addresses));
}
void ControlSession::publish(proto::NodeStatus status) { worker_->publish(std::move(status)); }
std::optional<proto::NodeDirective> ControlSession::take_directive() { return worker_->take_directive(); }

}  // namespace penstock

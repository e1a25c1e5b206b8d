// grpc.health.v1.Health/Check, in plain text. Passed when the answer is SERVING.
//
// The connection is ours (local_connection.h), the protocol gRPC's own: its threads call back into a post to
// the loop, which work_ keeps waiting for it.
#include <grpcpp/create_channel_posix.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <utility>

#include "bpf/agent/checks/check_run.h"
#include "bpf/agent/checks/local_connection.h"
#include "penstock/proto/grpc_health.pb.h"

namespace penstock {
namespace {

using boost::system::error_code;
using Stub = grpc::TemplatedGenericStub<proto::GrpcHealthRequest, proto::GrpcHealthResponse>;

constexpr int kMaxAnswer = 4096;
constexpr int kMaxMetadata = 16 << 10;

class GrpcCheck : public CheckRun, public std::enable_shared_from_this<GrpcCheck> {
 public:
  GrpcCheck(std::shared_ptr<boost::asio::io_context> io, const CheckSpec& spec, CheckDone done)
      : io_(std::move(io)), socket_(*io_), work_(io_->get_executor()), spec_(spec), done_(std::move(done)) {}

  void start() {
    error_code error;
    const auto to = open_local(socket_, spec_, error);
    if (error) {
      boost::asio::post(socket_.get_executor(),
                        [self = shared_from_this(), error] { self->connected(error); });
      return;
    }
    socket_.async_connect(to, [self = shared_from_this()](error_code ec) { self->connected(ec); });
  }

  void cancel() override {
    cancelled_ = true;
    error_code ignored;
    socket_.close(ignored);
    if (calling_) context_.TryCancel();
  }

 private:
  void connected(error_code error) {
    if (!error && is_connected_to_itself(socket_)) error = boost::asio::error::connection_refused;
    if (!error && cancelled_) error = boost::asio::error::operation_aborted;
    int fd = -1;
    if (!error) fd = socket_.release(error);  // from here on gRPC closes it
    if (error) {
      cancel();
      return done_({false, connection_problem(error, spec_)});
    }
    call(fd);
  }

  void call(int fd) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMaxAnswer);
    arguments.SetInt(GRPC_ARG_MAX_METADATA_SIZE, kMaxMetadata);
    arguments.SetString(GRPC_ARG_DEFAULT_AUTHORITY, spec_.host.empty() ? spec_.address.text() : spec_.host);
    stub_ =
        std::make_unique<Stub>(grpc::CreateCustomInsecureChannelFromFd(spec_.address.text(), fd, arguments));
    // A second line of defence; the runner's limit comes first.
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(spec_.timeout_ms) +
                          std::chrono::seconds(1));
    request_.set_service(spec_.grpc_service);
    calling_ = true;
    stub_->UnaryCall(&context_, "/grpc.health.v1.Health/Check", {}, &request_, &response_,
                     [io = io_, self = shared_from_this()](const grpc::Status& status) mutable {
                       auto& loop = *io;  // nothing of `self` may be left to this thread
                       boost::asio::post(loop, [self = std::move(self), status] { self->ended(status); });
                     });
  }

  void ended(const grpc::Status& status) {
    calling_ = false;
    stub_.reset();
    work_.reset();
    if (!status.ok()) {
      return done_(
          {false, "gRPC status " + std::to_string(status.error_code()) + ": " + status.error_message()});
    }
    if (response_.status() == proto::GrpcHealthResponse::SERVING) return done_({true, ""});
    const std::string& name = proto::GrpcHealthResponse::Serving_Name(response_.status());
    done_({false, "answers " + (name.empty() ? std::to_string(response_.status()) : name) + ", not SERVING"});
  }

  const std::shared_ptr<boost::asio::io_context> io_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  const CheckSpec spec_;
  const CheckDone done_;
  bool cancelled_ = false;
  bool calling_ = false;
  grpc::ClientContext context_;
  proto::GrpcHealthRequest request_;
  proto::GrpcHealthResponse response_;
  std::unique_ptr<Stub> stub_;
};

}  // namespace

std::shared_ptr<CheckRun> start_grpc_check(const std::shared_ptr<boost::asio::io_context>& io,
                                           const CheckSpec& spec, CheckDone done) {
  auto run = std::make_shared<GrpcCheck>(io, spec, std::move(done));
  run->start();
  return run;
}

}  // namespace penstock

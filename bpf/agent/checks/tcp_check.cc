// Passed when the handshake is complete.
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <utility>

#include "bpf/agent/checks/check_run.h"
#include "bpf/agent/checks/local_connection.h"

namespace penstock {
namespace {

using boost::system::error_code;

class TcpCheck : public CheckRun, public std::enable_shared_from_this<TcpCheck> {
 public:
  TcpCheck(boost::asio::io_context& io, const CheckSpec& spec, CheckDone done)
      : socket_(io), spec_(spec), done_(std::move(done)) {}

  void start() {
    error_code error;
    const auto to = open_local(socket_, spec_, error);
    if (error) {
      boost::asio::post(socket_.get_executor(), [self = shared_from_this(), error] { self->finish(error); });
      return;
    }
    socket_.async_connect(to, [self = shared_from_this()](error_code ec) { self->finish(ec); });
  }

  void cancel() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void finish(error_code error) {
    if (!error && is_connected_to_itself(socket_)) error = boost::asio::error::connection_refused;
    cancel();
    done_({!error, error ? connection_problem(error, spec_) : ""});
  }

  boost::asio::ip::tcp::socket socket_;
  const CheckSpec spec_;
  const CheckDone done_;
};

}  // namespace

std::shared_ptr<CheckRun> start_tcp_check(boost::asio::io_context& io, const CheckSpec& spec,
                                          CheckDone done) {
  auto run = std::make_shared<TcpCheck>(io, spec, std::move(done));
  run->start();
  return run;
}

}  // namespace penstock

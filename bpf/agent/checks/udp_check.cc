// Sends one datagram; passed when the first answer begins with what is expected.
#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <string_view>
#include <utility>

#include "bpf/agent/checks/check_run.h"
#include "bpf/agent/checks/local_connection.h"
#include "penstock/config/health_limits.h"

namespace penstock {
namespace {

using boost::system::error_code;

class UdpCheck : public CheckRun, public std::enable_shared_from_this<UdpCheck> {
 public:
  UdpCheck(boost::asio::io_context& io, const CheckSpec& spec, CheckDone done)
      : socket_(io), spec_(spec), done_(std::move(done)) {}

  void start() {
    error_code error;
    const auto to = open_local(socket_, spec_, error);
    if (!error) socket_.connect(to, error);
    if (!error && is_connected_to_itself(socket_)) error = boost::asio::error::connection_refused;
    if (!error) socket_.send(boost::asio::buffer(spec_.send), 0, error);
    if (error) {
      boost::asio::post(socket_.get_executor(),
                        [self = shared_from_this(), error] { self->finish(error, 0); });
      return;
    }
    socket_.async_receive(
        boost::asio::buffer(answer_),
        [self = shared_from_this()](error_code ec, std::size_t bytes) { self->finish(ec, bytes); });
  }

  void cancel() override {
    error_code ignored;
    socket_.close(ignored);
  }

 private:
  void finish(error_code error, std::size_t bytes) {
    cancel();
    if (error) return done_({false, connection_problem(error, spec_)});
    const std::string_view answer(answer_.data(), bytes);
    if (answer.starts_with(spec_.expect)) return done_({true, ""});
    done_({false, "the answer of " + std::to_string(bytes) + " bytes does not begin as expected"});
  }

  boost::asio::ip::udp::socket socket_;
  const CheckSpec spec_;
  const CheckDone done_;
  std::array<char, kMaxCheckBytes> answer_{};  // what is longer is cut: only the beginning counts
};

}  // namespace

std::shared_ptr<CheckRun> start_udp_check(boost::asio::io_context& io, const CheckSpec& spec,
                                          CheckDone done) {
  auto run = std::make_shared<UdpCheck>(io, spec, std::move(done));
  run->start();
  return run;
}

}  // namespace penstock

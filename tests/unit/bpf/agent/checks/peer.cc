#include "tests/unit/bpf/agent/checks/peer.h"

#include <array>
#include <boost/asio/buffer.hpp>
#include <exception>
#include <memory>

namespace penstock {

using boost::asio::ip::tcp;

Peer::Peer(Serve serve)
    : acceptor_(io_, {boost::asio::ip::address_v4::loopback(), 0}),
      port_(acceptor_.local_endpoint().port()),
      serve_(std::move(serve)) {
  acceptor_thread_ = std::thread([this] { accept(); });
}

Peer::~Peer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (Socket* socket : sockets_) {
      boost::system::error_code ignored;
      socket->shutdown(tcp::socket::shutdown_both, ignored);
    }
  }
  // Closing does not wake a blocking accept; a connection does.
  boost::system::error_code ignored;
  Socket(io_).connect(acceptor_.local_endpoint(), ignored);
  acceptor_thread_.join();
  for (std::thread& thread : threads_) thread.join();
}

void Peer::accept() {
  for (;;) {
    auto socket = std::make_unique<Socket>(io_);
    acceptor_.accept(*socket);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    ++accepted_;
    sockets_.insert(socket.get());
    threads_.emplace_back([this, owned = std::move(socket)] {
      try {
        serve_(*owned);
      } catch (const std::exception&) {  // the check has hung up
      }
      const std::lock_guard inner(mutex_);
      sockets_.erase(owned.get());
      boost::system::error_code ignored;
      owned->close(ignored);
    });
  }
}

std::size_t Peer::open() const {
  const std::lock_guard lock(mutex_);
  return sockets_.size();
}

std::size_t Peer::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

void stay_silent(Peer::Socket& socket) {
  std::array<char, 1024> sink;
  for (;;) socket.read_some(boost::asio::buffer(sink));
}

CheckSpec local_check(CheckKind kind, std::uint16_t port) {
  CheckSpec spec;
  spec.name = "check";
  spec.kind = kind;
  spec.service = "web";
  spec.address = IpAddr::parse("127.0.0.1").value();
  spec.port = port;
  spec.path = "/";
  spec.method = "GET";
  spec.statuses = {{200, 299}};
  spec.interval_ms = 60;  // the first run starts within it
  spec.timeout_ms = 5'000;
  spec.rise = 1;
  spec.fall = 1;
  return spec;
}

ServiceChecks checks_of(std::vector<CheckSpec> checks, const std::string& service) {
  ServiceChecks out;
  out.of = {VipKey{checks.front().address, kProtoTcp, checks.front().port, 0, 0}, false, service};
  out.checks = std::move(checks);
  return out;
}

bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

CheckResult run_once(const CheckSpec& spec, const std::string& scripts) {
  CheckRunner runner({scripts, {}});
  runner.set({checks_of({spec})});
  const auto result = [&] { return runner.results().begin()->second.checks.front(); };
  EXPECT_TRUE(eventually([&] { return result().runs != 0; })) << "the check never ended";
  return result();
}

}  // namespace penstock

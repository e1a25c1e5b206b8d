#include "controlplane/api/http_server.h"

#include <spdlog/spdlog.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <chrono>
#include <csignal>
#include <optional>
#include <utility>

#include "controlplane/api/http_connection.h"

namespace penstock {

namespace asio = boost::asio;
using tcp = boost::asio::ip::tcp;

namespace {

constexpr std::chrono::milliseconds kAcceptRetry{100};

Result<tcp::endpoint> loopback_endpoint(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  const auto bad = [&](const char* why) { return invalid("--rest", "'" + address + "' " + why); };
  if (colon == std::string::npos) return bad("lacks a port (write 127.0.0.1:7780)");
  std::uint16_t port = 0;
  const char* end = address.data() + address.size();
  const auto [stop, error] = std::from_chars(address.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end) return bad("has no valid port (write 127.0.0.1:7780)");
  std::string host = address.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code failed;
  const auto ip = asio::ip::make_address(host, failed);
  if (failed) return bad("does not start with an IP address (write 127.0.0.1:7780)");
  if (!ip.is_loopback()) {
    return bad(
        "is reachable from other hosts, and REST asks nobody who they are: listen on 127.0.0.1 and put a TLS "
        "proxy in front");
  }
  return tcp::endpoint(ip, port);
}

}  // namespace

struct HttpServer::Parts {
  explicit Parts(Handler h) : handler(std::move(h)) {}

  void accept() {
    acceptor.async_accept([this](boost::system::error_code failed, tcp::socket socket) {
      if (failed == asio::error::operation_aborted) return;
      if (failed) return accept_later(failed.message());
      if (*open < kMaxConnections) {
        std::make_shared<HttpConnection>(std::move(socket), handler, open)->read();
      } else {
        spdlog::warn("REST: {} connections are open, one more was closed", *open);
      }
      accept();
    });
  }

  // Out of file descriptors, most likely: trying again at once would only spin.
  void accept_later(const std::string& why) {
    spdlog::warn("REST: cannot accept a connection: {}", why);
    retry.expires_after(kAcceptRetry);
    retry.async_wait([this](boost::system::error_code failed) {
      if (!failed) accept();
    });
  }

  Handler handler;
  std::shared_ptr<int> open = std::make_shared<int>(0);
  asio::io_context context{1};
  asio::signal_set signals{context, SIGTERM, SIGINT};
  tcp::acceptor acceptor{context};
  asio::steady_timer retry{context};
};

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::listen(const std::string& address, Handler handler) {
  const auto endpoint = loopback_endpoint(address);
  if (!endpoint) return endpoint.error();
  auto parts = std::make_unique<Parts>(std::move(handler));
  try {
    parts->acceptor.open(endpoint->protocol());
    parts->acceptor.set_option(tcp::acceptor::reuse_address(true));
    parts->acceptor.bind(*endpoint);
    parts->acceptor.listen();
  } catch (const boost::system::system_error& e) {
    return unavailable("--rest " + address + ": cannot listen there: " + e.code().message() +
                       "; choose another port or stop the process that has it");
  }
  parts->accept();
  parts->signals.async_wait([context = &parts->context](boost::system::error_code failed, int signal) {
    if (failed) return;
    spdlog::info("stopping on signal {}", signal);
    context->stop();
  });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

int HttpServer::port() const { return parts_->acceptor.local_endpoint().port(); }

void HttpServer::run() { parts_->context.run(); }

void HttpServer::stop() { parts_->context.stop(); }

}  // namespace penstock

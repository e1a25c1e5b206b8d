#include "fake_rest.h"

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <mutex>
#include <thread>
#include <utility>

namespace penstock::test {

namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = boost::asio::ip::tcp;

struct FakeRest::Server {
  Handler handler;
  boost::asio::io_context io;
  Tcp::acceptor acceptor{io, Tcp::endpoint(boost::asio::ip::address_v4::loopback(), 0)};
  std::atomic<bool> stopping{false};
  std::mutex mutex;
  std::vector<Asked> asked;
  std::thread thread;

  void serve() {
    while (!stopping) {
      Tcp::socket socket(io);
      beast::error_code ec;
      acceptor.accept(socket, ec);
      if (ec || stopping) continue;
      beast::flat_buffer buffer;
      http::request<http::string_body> request;
      http::read(socket, buffer, request, ec);
      if (ec) continue;
      Asked question{std::string(request.method_string()), std::string(request.target()),
                     std::string(request[http::field::content_type]), request.body()};
      const Answer answer = handler(question);
      {
        const std::lock_guard lock(mutex);
        asked.push_back(std::move(question));
      }
      http::response<http::string_body> response(http::int_to_status(answer.status), 11);
      response.set(http::field::content_type, answer.content_type);
      response.body() = answer.body;
      response.prepare_payload();
      http::write(socket, response, ec);
    }
  }
};

FakeRest::FakeRest(Handler handler) : server_(std::make_unique<Server>()) {
  server_->handler = std::move(handler);
  server_->thread = std::thread([this] { server_->serve(); });
}

FakeRest::~FakeRest() {
  server_->stopping = true;
  beast::error_code ec;
  Tcp::socket knock(server_->io);  // ends the accept that the thread waits in
  knock.connect(server_->acceptor.local_endpoint(), ec);
  server_->thread.join();
}

std::string FakeRest::url() const {
  return "http://127.0.0.1:" + std::to_string(server_->acceptor.local_endpoint().port());
}

std::vector<Asked> FakeRest::asked() const {
  const std::lock_guard lock(server_->mutex);
  return server_->asked;
}

}  // namespace penstock::test

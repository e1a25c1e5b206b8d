// One HTTP connection, with all of Beast: included by http_server.cc and http_connection.cc alone.
#pragma once

#include <array>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <optional>
#include <string>

#include "controlplane/api/http_server.h"

namespace penstock {

/// Reads a request, answers it, reads the next. Owned by its pending operation, on one thread.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
 public:
  /// `open` counts connections; the handler outlives this.
  HttpConnection(boost::asio::ip::tcp::socket socket, const HttpServer::Handler& handler,
                 std::shared_ptr<int> open);
  ~HttpConnection();

  void read();

 private:
  using Error = boost::beast::error_code;
  template <void (HttpConnection::*Member)(Error)>
  auto then();

  void on_header(Error failed);
  void read_body();
  void on_body(Error failed);
  void on_unreadable(Error failed);
  void respond(HttpResponse answer, bool head, bool keep_alive);
  void on_written(Error failed);
  void drain(Error failed);
  HttpResponse handle(const HttpRequest& request) const;

  boost::beast::tcp_stream stream_;
  const HttpServer::Handler& handler_;
  std::shared_ptr<int> open_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>> serializer_;
  std::array<char, 4096> discarded_;
  std::size_t discarded_bytes_ = 0;
};

}  // namespace penstock

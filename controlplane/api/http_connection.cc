#include "controlplane/api/http_connection.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <string_view>
#include <utility>

#include "controlplane/api/problem.h"

namespace penstock {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;

namespace {

constexpr std::chrono::seconds kIdle{kIdleTimeoutSeconds};
constexpr std::chrono::seconds kRequest{kRequestTimeoutSeconds};
constexpr std::chrono::seconds kLinger{2};
constexpr std::size_t kMaxDiscardedBytes = 4 * kMaxBodyBytes;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::kGet;
    case http::verb::head:
      return Method::kHead;
    case http::verb::post:
      return Method::kPost;
    case http::verb::put:
      return Method::kPut;
    case http::verb::patch:
      return Method::kPatch;
    case http::verb::delete_:
      return Method::kDelete;
    default:
      return Method::kOther;
  }
}

/// All lines of a list-valued header, as one (RFC 9110, 5.2).
std::string combined(const http::request<http::string_body>& request, http::field field) {
  std::string out;
  const auto [first, last] = request.equal_range(field);
  for (auto line = first; line != last; ++line) {
    if (!out.empty()) out += ", ";
    out.append(line->value().data(), line->value().size());
  }
  return out;
}

HttpRequest request_of(http::request<http::string_body>&& from) {
  HttpRequest out;
  out.method = method_of(from.method());
  out.target.assign(from.target().data(), from.target().size());
  out.content_type = combined(from, http::field::content_type);
  out.if_match = combined(from, http::field::if_match);
  out.if_none_match = combined(from, http::field::if_none_match);
  out.body = std::move(from.body());
  return out;
}

/// What to answer to a request that could not be read; nothing when there is nobody or no reason to answer.
std::optional<HttpResponse> complaint(const beast::error_code& failed) {
  if (failed == http::error::body_limit) {
    return problem(413, "the body is larger than " + std::to_string(kMaxBodyBytes) + " bytes");
  }
  if (failed == http::error::header_limit || failed == http::error::buffer_overflow) {
    return problem(431, "the header is larger than " + std::to_string(kMaxHeaderBytes) + " bytes");
  }
  const bool gone = failed == http::error::end_of_stream || failed == http::error::partial_message;
  if (gone || failed.category() != http::make_error_code(http::error::bad_method).category())
    return std::nullopt;
  return problem(400, "the request is not valid HTTP/1.1: " + failed.message());
}

}  // namespace

HttpConnection::HttpConnection(asio::ip::tcp::socket socket, const HttpServer::Handler& handler,
                               std::shared_ptr<int> open)
    : stream_(std::move(socket)), handler_(handler), open_(std::move(open)) {
  ++*open_;
}

HttpConnection::~HttpConnection() { --*open_; }

template <void (HttpConnection::*Member)(HttpConnection::Error)>
auto HttpConnection::then() {
  return [self = shared_from_this()](Error failed, std::size_t) { ((*self).*Member)(failed); };
}

void HttpConnection::read() {
  parser_.emplace();
  parser_->header_limit(kMaxHeaderBytes);
  parser_->body_limit(kMaxBodyBytes);
  stream_.expires_after(kIdle);
  http::async_read_header(stream_, buffer_, *parser_, then<&HttpConnection::on_header>());
}

void HttpConnection::on_header(Error failed) {
  if (failed) return on_unreadable(failed);
  const auto& request = parser_->get();
  if (request.version() == 11 && request.count(http::field::host) != 1) {
    return respond(problem(400, "an HTTP/1.1 request has exactly one Host header"), false, false);
  }
  stream_.expires_after(kRequest);
  if (!beast::iequals(request[http::field::expect], "100-continue")) return read_body();
  asio::async_write(stream_, asio::buffer(kContinue), [self = shared_from_this()](Error error, std::size_t) {
    if (!error) self->read_body();
  });
}

void HttpConnection::read_body() {
  http::async_read(stream_, buffer_, *parser_, then<&HttpConnection::on_body>());
}

void HttpConnection::on_body(Error failed) {
  if (failed) return on_unreadable(failed);
  const bool keep_alive = parser_->keep_alive();
  const HttpRequest request = request_of(parser_->release());
  respond(handle(request), request.method == Method::kHead, keep_alive);
}

void HttpConnection::on_unreadable(Error failed) {
  if (auto answer = complaint(failed)) return respond(std::move(*answer), false, false);
  Error ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_both, ignored);
}

HttpResponse HttpConnection::handle(const HttpRequest& request) const {
  try {
    return handler_(request);
  } catch (const std::exception& e) {
    spdlog::error("request for {} failed: {}", request.target, e.what());
    return problem(500, "the request failed inside the control plane; its log says why");
  }
}

void HttpConnection::respond(HttpResponse answer, bool head, bool keep_alive) {
  response_ = {};
  response_.version(11);
  response_.result(answer.status);
  response_.set(http::field::cache_control, "no-store");
  if (!answer.content_type.empty()) response_.set(http::field::content_type, answer.content_type);
  for (const auto& [name, value] : answer.headers) response_.set(name, value);
  response_.keep_alive(keep_alive);
  response_.body() = std::move(answer.body);
  response_.prepare_payload();
  serializer_.emplace(response_);
  stream_.expires_after(kRequest);
  if (head) {
    http::async_write_header(stream_, *serializer_, then<&HttpConnection::on_written>());
  } else {
    http::async_write(stream_, *serializer_, then<&HttpConnection::on_written>());
  }
}

void HttpConnection::on_written(Error failed) {
  if (failed) return;
  if (response_.keep_alive()) return read();
  Error ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(kLinger);
  drain({});
}

// Closing with unread bytes would reset the connection and take the answer away from a client that is still
// sending.
void HttpConnection::drain(Error failed) {
  if (failed || discarded_bytes_ > kMaxDiscardedBytes) return;
  stream_.async_read_some(asio::buffer(discarded_),
                          [self = shared_from_this()](Error error, std::size_t size) {
                            self->discarded_bytes_ += size;
                            self->drain(error);
                          });
}

}  // namespace penstock

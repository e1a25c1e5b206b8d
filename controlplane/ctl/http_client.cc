#include "controlplane/ctl/http_client.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <exception>
#include <utility>

namespace penstock {
namespace {

namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = boost::asio::ip::tcp;

constexpr std::size_t kMaxBody = 256u << 20;

/// Runs one asynchronous operation to its end: Beast's time limits hold for those only.
template <class Start>
beast::error_code finish(boost::asio::io_context& io, Start&& start) {
  beast::error_code result;
  start([&result](beast::error_code ec, auto&&...) { result = ec; });
  io.restart();
  io.run();
  return result;
}

}  // namespace

HttpClient::HttpClient(std::string host, std::string port, std::chrono::milliseconds limit)
    : host_(std::move(host)), port_(std::move(port)), limit_(limit) {}

Result<HttpClient> HttpClient::from_url(const std::string& url, std::chrono::milliseconds limit) {
  static const std::string kScheme = "http://";
  const auto wrong = [&url](const std::string& why) { return invalid("--server", "'" + url + "' " + why); };
  if (url.starts_with("https://"))
    return wrong("asks for TLS; penstockctl speaks http:// to a local control plane");
  if (!url.starts_with(kScheme)) return wrong("is not http://HOST:PORT");
  std::string authority = url.substr(kScheme.size());
  if (authority.ends_with('/')) authority.pop_back();
  const auto colon = authority.rfind(':');
  if (authority.find('/') != std::string::npos || colon == std::string::npos || colon == 0) {
    return wrong("is not http://HOST:PORT");
  }
  std::string host = authority.substr(0, colon);
  const std::string port = authority.substr(colon + 1);
  unsigned number = 0;
  const auto [end, ec] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (ec != std::errc() || end != port.data() + port.size() || number == 0 || number > 65535) {
    return wrong("has no port from 1 to 65535");
  }
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string::npos) return wrong("needs [ ] around an IPv6 address");
  return HttpClient(std::move(host), port, limit);
}

Result<HttpResponse> HttpClient::send(const HttpRequest& request) const try {
  const auto no = [this](const std::string& why) {
    return unavailable("the control plane at " + host_ + ":" + port_ + " " + why);
  };
  boost::asio::io_context io;
  Tcp::resolver resolver(io);
  beast::error_code ec;
  const auto endpoints = resolver.resolve(host_, port_, ec);
  if (ec) return no("is not known: " + ec.message());

  beast::tcp_stream stream(io);
  stream.expires_after(limit_);
  ec = finish(io, [&](auto done) { stream.async_connect(endpoints, done); });
  if (ec) return no("cannot be reached: " + ec.message());

  http::request<http::string_body> out;
  out.method_string(request.method);
  out.target(request.target);
  out.version(11);
  out.set(http::field::host,
          host_.find(':') == std::string::npos ? host_ + ":" + port_ : "[" + host_ + "]:" + port_);
  out.set(http::field::user_agent, "penstockctl");
  out.set(http::field::accept, "application/json, application/problem+json");
  out.set(http::field::connection, "close");
  if (!request.content_type.empty()) out.set(http::field::content_type, request.content_type);
  out.body() = request.body;
  out.prepare_payload();
  ec = finish(io, [&](auto done) { http::async_write(stream, out, done); });
  if (ec) return no("does not take the request: " + ec.message());

  beast::flat_buffer buffer;
  http::response_parser<http::string_body> parser;
  parser.body_limit(kMaxBody);
  ec = finish(io, [&](auto done) { http::async_read(stream, buffer, parser, done); });
  if (ec) return no("does not answer: " + ec.message());
  const auto& in = parser.get();
  return HttpResponse{in.result_int(), std::string(in[http::field::content_type]), in.body()};
} catch (const std::exception& e) {
  return unavailable("the request to " + host_ + ":" + port_ + " failed: " + e.what());
}

std::string percent_encode(const std::string& segment) {
  static const char* kHex = "0123456789ABCDEF";
  std::string out;
  for (unsigned char c : segment) {
    const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                            c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
      out += static_cast<char>(c);
    } else {
      out += '%';
      out += kHex[c >> 4];
      out += kHex[c & 15];
    }
  }
  // Dots alone would be taken for a relative path.
  if (out == ".") return "%2E";
  if (out == "..") return "%2E%2E";
  return out;
}

}  // namespace penstock

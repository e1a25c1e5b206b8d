#include "tests/traffic/http_connection.h"

#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace penstock::traffic {

namespace {

constexpr std::size_t kMaxHead = 16 * 1024;
constexpr std::string_view kPattern = "0123456789abcdef";

std::string reason(std::string_view what, int error_number) {
  return std::string(what) + ": " + std::strerror(error_number);
}

/// Value of a header, without surrounding blanks.
std::optional<std::string_view> header(std::string_view head, std::string_view name) {
  std::size_t line = head.find("\r\n");
  while (line != std::string_view::npos && line + 2 < head.size()) {
    const std::size_t begin = line + 2;
    line = head.find("\r\n", begin);
    const std::string_view text = head.substr(begin, line - begin);
    const bool same = text.size() > name.size() && text[name.size()] == ':' &&
                      strncasecmp(text.data(), name.data(), name.size()) == 0;
    if (!same) continue;
    std::string_view value = text.substr(name.size() + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    while (!value.empty() && value.back() == ' ') value.remove_suffix(1);
    return value;
  }
  return std::nullopt;
}

}  // namespace

HttpConnection::HttpConnection(EventLoop& loop, const Endpoint& endpoint, OnAnswer on_answer)
    : loop_(loop), on_answer_(std::move(on_answer)), fd_(connected_socket(endpoint, SOCK_STREAM)) {
  if (fd_ < 0) {
    failed_ = reason("connect", errno);
    return;
  }
  token_ = loop_.watch(fd_, EPOLLIN | EPOLLOUT, [this](std::uint32_t events) { on_ready(events); });
}

HttpConnection::~HttpConnection() {
  if (token_ != 0) loop_.forget(token_);
  if (fd_ >= 0) close(fd_);
}

std::string_view HttpConnection::phase() const {
  return connected_ ? "waiting for the answer" : "connecting";
}

void HttpConnection::get(std::string_view path, bool close) {
  request_ = "GET " + std::string(path) + " HTTP/1.1\r\nHost: penstock-lab\r\n" +
             (close ? "Connection: close\r\n\r\n" : "\r\n");
  head_.clear();
  answer_ = {};
  busy_ = true;
  head_done_ = body_wrong_ = false;
  patterned_ = path == "/large";
  close_asked_ = close;
  body_expected_ = body_received_ = 0;
  if (!failed_.empty()) {
    loop_.defer([this] { finish(failed_); });
  } else if (connected_) {
    send_request();
  }
}

void HttpConnection::on_ready(std::uint32_t events) {
  if (!connected_) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return finish(reason("connect", error));
    if ((events & EPOLLOUT) == 0) return;
    connected_ = true;
    loop_.change(token_, EPOLLIN);
    if (busy_) send_request();
    return;
  }
  receive();
}

void HttpConnection::send_request() {
  // A request is far smaller than an empty socket buffer: it goes out whole or the connection is broken.
  const ssize_t sent = send(fd_, request_.data(), request_.size(), MSG_NOSIGNAL);
  if (sent != static_cast<ssize_t>(request_.size())) finish(reason("send", sent < 0 ? errno : EIO));
}

void HttpConnection::receive() {
  std::array<char, 64 * 1024> buffer;
  const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
  if (count < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return finish(reason("receive", errno));
  }
  if (count == 0) return finish(busy_ ? "closed before the answer was complete" : "closed by the server");
  if (!busy_) return finish("answer without a request");

  const std::string_view data(buffer.data(), static_cast<std::size_t>(count));
  if (head_done_) {
    check_body(data);
  } else {
    head_ += data;
    if (head_.size() > kMaxHead + data.size()) return finish("header too large");
    const std::size_t end = head_.find("\r\n\r\n");
    if (end == std::string::npos) return;
    const std::string body = head_.substr(end + 4);
    head_.resize(end + 2);
    if (!parse_head()) return finish("answer not understood: " + head_.substr(0, 40));
    head_done_ = true;
    check_body(body);
  }
  if (body_received_ > body_expected_) return finish("body longer than announced");
  if (body_received_ == body_expected_) finish(body_wrong_ ? "body damaged" : "");
}

bool HttpConnection::parse_head() {
  const std::string_view head(head_);
  if (head.substr(0, 9) != "HTTP/1.1 ") return false;
  if (head.substr(9, 3) != "200") answer_.error = "status " + std::string(head.substr(9, 3));
  if (const auto backend = header(head, "X-Backend")) answer_.backend = std::string(*backend);
  const auto connection = header(head, "Connection");
  answer_.last = close_asked_ || (connection && *connection == "close");
  const auto length = header(head, "Content-Length");
  if (!length) return false;
  const auto [end, error] = std::from_chars(length->data(), length->data() + length->size(), body_expected_);
  return error == std::errc() && end == length->data() + length->size();
}

void HttpConnection::check_body(std::string_view part) {
  if (patterned_) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i] != kPattern[(body_received_ + i) % kPattern.size()]) body_wrong_ = true;
    }
  }
  body_received_ += part.size();
}

void HttpConnection::finish(std::string error) {
  if (!error.empty()) {
    answer_.error = std::move(error);
    answer_.last = true;
  }
  busy_ = false;
  if (answer_.last && token_ != 0) {
    loop_.forget(token_);
    token_ = 0;
  }
  const HttpAnswer answer = answer_;
  on_answer_(answer);
}

}  // namespace penstock::traffic

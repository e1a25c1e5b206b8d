// One HTTP/1.1 connection that fetches one thing after another.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "tests/traffic/endpoint.h"
#include "tests/traffic/event_loop.h"

namespace penstock::traffic {

/// What came back. error is empty on success (status 200, body complete and as expected).
struct HttpAnswer {
  std::string backend;  // the X-Backend header
  std::string error;
  bool last = false;  // the server will close, or has closed, the connection
};

/// Opens a connection at construction. Bodies of /large are compared byte by byte with the pattern
/// "0123456789abcdef" repeated, so that damage on the way shows.
/// The callback may not destroy the connection from within; use EventLoop::defer.
class HttpConnection {
 public:
  using OnAnswer = std::function<void(const HttpAnswer&)>;

  HttpConnection(EventLoop& loop, const Endpoint& endpoint, OnAnswer on_answer);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  /// One at a time: the next only after the answer. close: ask the server to close afterwards.
  void get(std::string_view path, bool close);
  [[nodiscard]] bool busy() const { return busy_; }
  /// "connecting" or "waiting for the answer", for the text of a timeout.
  [[nodiscard]] std::string_view phase() const;

 private:
  void on_ready(std::uint32_t events);
  void send_request();
  void receive();
  bool parse_head();
  void check_body(std::string_view part);
  void finish(std::string error);

  EventLoop& loop_;
  OnAnswer on_answer_;
  int fd_ = -1;
  EventLoop::Token token_ = 0;
  bool connected_ = false;
  bool busy_ = false;
  bool head_done_ = false;
  bool patterned_ = false;
  bool close_asked_ = false;
  std::string failed_;  // why no connection could be opened
  std::string request_;
  std::string head_;
  std::uint64_t body_expected_ = 0;
  std::uint64_t body_received_ = 0;
  bool body_wrong_ = false;
  HttpAnswer answer_;
};

}  // namespace penstock::traffic

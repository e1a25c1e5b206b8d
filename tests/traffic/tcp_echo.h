// The TCP half of penstock-echo.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "tests/traffic/event_loop.h"

namespace penstock::traffic {

/// Greets every connection with "NAME\n" and sends back what it gets, for as long as the client keeps the
/// connection; a client that vanished without a word is noticed by keepalive within a minute. IPv4 and IPv6,
/// one thread.
class TcpEcho {
 public:
  /// Throws std::system_error when the port cannot be had.
  TcpEcho(std::string name, std::uint16_t port);
  void run() { loop_.run(); }

 private:
  struct Connection {
    EventLoop::Token token = 0;
    std::string pending;  // taken, not yet sent back; nothing more is read meanwhile
  };

  void listen_on(int family, std::uint16_t port);
  void accept_from(int listener);
  void on_ready(int fd, std::uint32_t events);
  bool read_some(int fd, Connection& connection);
  bool write_some(int fd, Connection& connection);
  void drop(int fd);

  const std::string name_;
  EventLoop loop_;
  std::map<int, Connection> connections_;
};

}  // namespace penstock::traffic

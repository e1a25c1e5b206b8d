// Somebody to check: a listener on 127.0.0.1 that treats every connection as the test says, and a runner for
// one check. For tests only.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "bpf/agent/checks/check_runner.h"

namespace penstock {

/// Each connection has a thread of its own, which ends when the peer goes: its socket is shut down.
class Peer {
 public:
  using Socket = boost::asio::ip::tcp::socket;
  using Serve = std::function<void(Socket&)>;

  explicit Peer(Serve serve);
  ~Peer();

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// Connections that are open now, and that ever were.
  [[nodiscard]] std::size_t open() const;
  [[nodiscard]] std::size_t accepted() const;

 private:
  void accept();

  boost::asio::io_context io_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::uint16_t port_;
  Serve serve_;
  mutable std::mutex mutex_;
  std::set<Socket*> sockets_;
  std::size_t accepted_ = 0;
  bool stopping_ = false;
  std::list<std::thread> threads_;
  std::thread acceptor_thread_;
};

/// Reads until the other side ends the connection; says nothing.
void stay_silent(Peer::Socket& socket);

/// A check of 127.0.0.1, begun at once and repeated soon; who counts its runs makes `interval_ms` longer.
CheckSpec local_check(CheckKind kind, std::uint16_t port);
ServiceChecks checks_of(std::vector<CheckSpec> checks, const std::string& service = "web");

/// Waits for a condition; false when it is not met within 10 s.
bool eventually(const std::function<bool()>& condition);

/// What its first run ends with.
CheckResult run_once(const CheckSpec& spec, const std::string& scripts = "");

}  // namespace penstock

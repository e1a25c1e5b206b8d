// One TCP connection to the echo service that is held for as long as a scenario lasts.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "tests/traffic/endpoint.h"
#include "tests/traffic/event_loop.h"
#include "tests/traffic/flow_state.h"

namespace penstock::traffic {

struct EchoSettings {
  std::uint64_t interval_ms = 1000;  // from message to message; none is sent while one is unanswered
  std::uint64_t timeout_ms = 20000;  // without an answer: broken
  std::size_t small_bytes = 64;
  std::size_t large_bytes = 4000;  // every 16th message: more than one full-size segment
};

/// Opens at construction, reads the greeting "NAME\n" of the backend, then sends one message per interval and
/// compares every byte that comes back. A flow that failed once stays broken: `broken` says why.
class EchoFlow {
 public:
  EchoFlow(EventLoop& loop, const EchoSettings& settings, const Endpoint& to, std::uint64_t id);
  ~EchoFlow();
  EchoFlow(const EchoFlow&) = delete;
  EchoFlow& operator=(const EchoFlow&) = delete;

  /// No message more; what is under way is still answered or not.
  void stop() { stopping_ = true; }
  /// Closes the connection once nothing is under way; `broken` is "retired" then.
  /// False if that was already so, or it is broken.
  bool retire() { return broken_.empty() && !std::exchange(retiring_, true); }
  void mark();
  [[nodiscard]] bool greeted() const { return !backend_.empty(); }
  [[nodiscard]] const std::string& backend() const { return backend_; }
  /// Empty while it is whole; else "reset", "closed", "timeout", "wrong byte", "retired" or what the system
  /// says.
  [[nodiscard]] const std::string& broken() const { return broken_; }
  [[nodiscard]] Nanoseconds broken_at() const { return broken_at_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] const Gap& gap() const { return gap_; }
  /// Segments that this side had to send again since the last mark.
  [[nodiscard]] std::uint32_t retransmitted() const { return total_retransmitted() - retransmitted_before_; }

 private:
  void on_ready(std::uint32_t events);
  void receive();
  void take(const char* data, std::size_t size, Nanoseconds now);
  void tick();
  void send_next();
  void fail(std::string reason);
  [[nodiscard]] std::uint32_t total_retransmitted() const;

  EventLoop& loop_;
  const EchoSettings& settings_;
  const std::uint64_t id_;
  int fd_ = -1;
  EventLoop::Token token_ = 0;
  bool stopping_ = false;
  bool retiring_ = false;
  Gap gap_;
  std::string greeting_;
  std::string backend_;
  std::string broken_;
  Nanoseconds broken_at_;
  std::string expected_;      // of the message under way
  std::size_t returned_ = 0;  // bytes of it
  std::uint64_t sequence_ = 0;
  std::uint64_t answered_ = 0;
  std::uint32_t last_retransmitted_ = 0;  // as it was when the socket was closed
  std::uint32_t retransmitted_before_ = 0;
};

}  // namespace penstock::traffic

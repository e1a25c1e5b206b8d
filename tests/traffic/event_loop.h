// One thread, epoll and timers: all that the traffic tools need to keep thousands of sockets going.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <unordered_map>
#include <vector>

#include "penstock/base/clock.h"

namespace penstock::traffic {

/// Single-threaded. Callbacks may watch, forget, schedule and stop at will. What a callback wants to destroy
/// while it is itself running there, it hands to defer().
class EventLoop {
 public:
  using Token = std::uint64_t;
  /// events: EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP as epoll_wait(2) gives them.
  using OnReady = std::function<void(std::uint32_t events)>;

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Token watch(int fd, std::uint32_t events, OnReady on_ready);
  void change(Token token, std::uint32_t events);
  /// Call before closing the descriptor; events of it that are already fetched are dropped.
  void forget(Token token);

  void at(Nanoseconds when, std::function<void()> action);
  void after_ms(std::uint64_t ms, std::function<void()> action);
  /// Runs after the events fetched so far have been handled.
  void defer(std::function<void()> action);

  /// Returns after stop().
  void run();
  void stop() { running_ = false; }

 private:
  struct Watched {
    int fd;
    OnReady on_ready;
  };

  int wait_milliseconds() const;
  void run_due_timers();
  void run_deferred();

  int epoll_;
  bool running_ = true;
  Token next_token_ = 1;
  std::unordered_map<Token, Watched> watched_;
  std::multimap<Nanoseconds, std::function<void()>> timers_;
  std::vector<std::function<void()>> deferred_;
};

}  // namespace penstock::traffic

#include "tests/traffic/event_loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace penstock::traffic {

EventLoop::EventLoop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

EventLoop::~EventLoop() { close(epoll_); }

EventLoop::Token EventLoop::watch(int fd, std::uint32_t events, OnReady on_ready) {
  const Token token = next_token_++;
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) {
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
  }
  watched_.emplace(token, Watched{fd, std::move(on_ready)});
  return token;
}

void EventLoop::change(Token token, std::uint32_t events) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  epoll_ctl(epoll_, EPOLL_CTL_MOD, watched_.at(token).fd, &event);
}

void EventLoop::forget(Token token) {
  const auto found = watched_.find(token);
  if (found == watched_.end()) return;
  epoll_ctl(epoll_, EPOLL_CTL_DEL, found->second.fd, nullptr);
  watched_.erase(found);
}

void EventLoop::at(Nanoseconds when, std::function<void()> action) {
  timers_.emplace(when, std::move(action));
}

void EventLoop::after_ms(std::uint64_t ms, std::function<void()> action) {
  at(monotonic_now() + Nanoseconds::from_millis(ms), std::move(action));
}

void EventLoop::defer(std::function<void()> action) { deferred_.push_back(std::move(action)); }

int EventLoop::wait_milliseconds() const {
  if (!deferred_.empty()) return 0;
  if (timers_.empty()) return -1;
  const Nanoseconds now = monotonic_now();
  const Nanoseconds due = timers_.begin()->first;
  if (due <= now) return 0;
  return static_cast<int>(std::min<std::uint64_t>((due - now).count() / 1'000'000 + 1, 60'000));
}

void EventLoop::run_due_timers() {
  const Nanoseconds now = monotonic_now();
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const auto action = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    action();
  }
}

void EventLoop::run_deferred() {
  std::vector<std::function<void()>> actions;
  actions.swap(deferred_);
  for (const auto& action : actions) action();
}

void EventLoop::run() {
  std::array<epoll_event, 256> events;
  while (running_) {
    const int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_milliseconds());
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
    for (int i = 0; i < count; ++i) {
      const epoll_event& event = events[static_cast<std::size_t>(i)];
      const auto found = watched_.find(event.data.u64);
      if (found == watched_.end()) continue;
      // A copy: the callback may forget its own token while it runs.
      const OnReady on_ready = found->second.on_ready;
      on_ready(event.events);
    }
    run_due_timers();
    run_deferred();
  }
}

}  // namespace penstock::traffic

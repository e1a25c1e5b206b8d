#include "tests/traffic/command_reader.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace penstock::traffic {

namespace {

/// A file or /dev/null cannot be watched by epoll.
bool watchable(int fd) {
  const int probe = epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{};
  event.events = EPOLLIN;
  const bool ok = epoll_ctl(probe, EPOLL_CTL_ADD, fd, &event) == 0;
  close(probe);
  return ok;
}

}  // namespace

CommandReader::CommandReader(EventLoop& loop, std::function<void(const std::string&)> on_line)
    : loop_(loop), on_line_(std::move(on_line)) {
  const int flags = fcntl(STDIN_FILENO, F_GETFL);
  if (flags < 0 || !watchable(STDIN_FILENO)) return;
  fcntl(STDIN_FILENO, F_SETFL, flags | O_NONBLOCK);
  token_ = loop_.watch(STDIN_FILENO, EPOLLIN, [this](std::uint32_t) { read_some(); });
}

void CommandReader::read_some() {
  char buffer[256];
  const ssize_t count = read(STDIN_FILENO, buffer, sizeof buffer);
  if (count < 0) return;
  if (count == 0) return loop_.forget(token_);
  text_.append(buffer, static_cast<std::size_t>(count));
  for (std::size_t end = text_.find('\n'); end != std::string::npos; end = text_.find('\n')) {
    const std::string line = text_.substr(0, end);
    text_.erase(0, end + 1);
    on_line_(line);
  }
}

void on_termination(EventLoop& loop, std::function<void()> action) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC);
  loop.watch(fd, EPOLLIN, [action = std::move(action)](std::uint32_t) { action(); });
}

}  // namespace penstock::traffic

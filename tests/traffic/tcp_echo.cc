#include "tests/traffic/tcp_echo.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace penstock::traffic {

namespace {

[[noreturn]] void raise(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

}  // namespace

TcpEcho::TcpEcho(std::string name, std::uint16_t port) : name_(std::move(name)) {
  listen_on(AF_INET, port);
  listen_on(AF_INET6, port);
}

void TcpEcho::listen_on(int family, std::uint16_t port) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) raise("socket");
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  // Inherited by what is accepted: the answers are thin streams, as the client's messages are (echo_flow.cc).
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(port);
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = htons(port);
  const int bound = family == AF_INET6 ? bind(fd, reinterpret_cast<sockaddr*>(&any6), sizeof any6)
                                       : bind(fd, reinterpret_cast<sockaddr*>(&any4), sizeof any4);
  if (bound != 0) raise("bind");
  if (listen(fd, 4096) != 0) raise("listen");
  loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_from(fd); });
}

void TcpEcho::accept_from(int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
      return;  // no more, or one that went away again; out of descriptors: the client's wait says so
    set(fd, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, 1);
    Connection& connection = connections_[fd];
    connection.token = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t events) { on_ready(fd, events); });
    connection.pending = name_ + "\n";
    if (!write_some(fd, connection)) drop(fd);
  }
}

void TcpEcho::on_ready(int fd, std::uint32_t events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  Connection& connection = found->second;
  const bool readable = (events & EPOLLIN) != 0U && connection.pending.empty();
  const bool good = (events & EPOLLERR) == 0U && (!readable || read_some(fd, connection));
  if (!good || !write_some(fd, connection)) drop(fd);
}

bool TcpEcho::read_some(int fd, Connection& connection) {
  std::array<char, 16384> buffer;
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  connection.pending.assign(buffer.data(), static_cast<std::size_t>(count));
  return count > 0;
}

bool TcpEcho::write_some(int fd, Connection& connection) {
  if (connection.pending.empty()) return true;
  const ssize_t sent = send(fd, connection.pending.data(), connection.pending.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) return false;
  connection.pending.erase(0, sent < 0 ? 0 : static_cast<std::size_t>(sent));
  loop_.change(connection.token, connection.pending.empty() ? EPOLLIN : EPOLLOUT);
  return true;
}

void TcpEcho::drop(int fd) {
  loop_.forget(connections_.at(fd).token);
  connections_.erase(fd);
  close(fd);
}

}  // namespace penstock::traffic

#include "tests/traffic/work_server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace penstock::traffic {
namespace {

constexpr std::size_t kMaxHead = 8192;

[[noreturn]] void raise(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void set(int fd, int level, int option, int value) { setsockopt(fd, level, option, &value, sizeof value); }

/// Returns when the thread has run for so long, whatever the clock on the wall says: a cgroup's quota makes
/// the same work take longer.
void burn(std::uint64_t us) {
  const auto used_ns = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
  };
  for (const std::uint64_t end = used_ns() + us * 1000; used_ns() < end;) continue;
}

}  // namespace

std::string read_behaviour(const std::string& path, WorkBehaviour& out) {
  out = {};
  std::ifstream file(path);
  std::string name;
  std::uint64_t number = 0;
  while (file >> name) {
    if (!(file >> number)) return "'" + name + "' has no number";
    if (name == "listening") {
      out.listening = number != 0;
    } else if (name == "healthy") {
      out.healthy = number != 0;
    } else if (name == "extra_ms") {
      out.extra_ms = number;
    } else {
      return "'" + name + "' is not known (listening, healthy, extra_ms)";
    }
  }
  return {};
}

WorkServer::WorkServer(EventLoop& loop, Settings settings) : loop_(loop), settings_(std::move(settings)) {
  behave({});
}

void WorkServer::behave(const WorkBehaviour& behaviour) {
  behaviour_ = behaviour;
  if (!behaviour_.listening) {
    stop_listening();
  } else if (listeners_.empty()) {
    listen_on(AF_INET);
    listen_on(AF_INET6);
  }
}

void WorkServer::listen_on(int family) {
  const int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) raise("socket");
  set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (family == AF_INET6) set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  sockaddr_in6 any6{};
  any6.sin6_family = AF_INET6;
  any6.sin6_port = htons(settings_.port);
  sockaddr_in any4{};
  any4.sin_family = AF_INET;
  any4.sin_port = htons(settings_.port);
  const int bound = family == AF_INET6 ? bind(fd, reinterpret_cast<sockaddr*>(&any6), sizeof any6)
                                       : bind(fd, reinterpret_cast<sockaddr*>(&any4), sizeof any4);
  if (bound != 0) raise("bind");
  if (listen(fd, 1024) != 0) raise("listen");
  const auto token = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t) { accept_from(fd); });
  listeners_.emplace_back(fd, token);
}

void WorkServer::stop_listening() {
  for (const auto& [fd, token] : listeners_) {
    loop_.forget(token);
    close(fd);
  }
  listeners_.clear();
}

void WorkServer::accept_from(int listener) {
  for (;;) {
    const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    Connection& connection = connections_[fd];
    connection = {};
    connection.id = next_id_++;
    connection.token = loop_.watch(fd, EPOLLIN, [this, fd](std::uint32_t events) { on_ready(fd, events); });
  }
}

void WorkServer::on_ready(int fd, std::uint32_t events) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  if ((events & EPOLLERR) != 0U || !read_some(fd, found->second)) drop(fd);
}

bool WorkServer::read_some(int fd, Connection& connection) {
  std::array<char, 4096> buffer;
  const ssize_t count = recv(fd, buffer.data(), buffer.size(), 0);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  connection.head.append(buffer.data(), static_cast<std::size_t>(count));
  if (count == 0 || connection.head.size() > kMaxHead) return false;
  if (!connection.working && connection.head.find("\r\n\r\n") != std::string::npos)
    take_request(fd, connection);
  return true;
}

void WorkServer::take_request(int fd, Connection& connection) {
  const std::size_t end = connection.head.find("\r\n\r\n");
  const std::string request = connection.head.substr(0, end);
  connection.head.erase(0, end + 4);
  const bool close_asked = request.find("onnection: close") != std::string::npos;
  if (request.starts_with("GET /health ")) {
    return answer(fd, behaviour_.healthy ? "200 OK" : "503 Service Unavailable", close_asked);
  }
  connection.working = true;
  waiting_.push_back({fd, connection.id, close_asked});
  begin_jobs();
}

void WorkServer::begin_jobs() {
  while (busy_ < settings_.slots && !waiting_.empty()) {
    const Job job = waiting_.front();
    waiting_.pop_front();
    const auto found = connections_.find(job.fd);
    if (found == connections_.end() || found->second.id != job.connection) continue;  // the client has gone
    ++busy_;
    const Nanoseconds work(settings_.service_us * 1000 + behaviour_.extra_ms * 1'000'000);
    loop_.at(monotonic_now() + work, [this, job] { end_job(job); });
  }
}

void WorkServer::end_job(const Job& job) {
  if (settings_.cpu_us > 0) burn(settings_.cpu_us);
  --busy_;
  const auto found = connections_.find(job.fd);
  if (found != connections_.end() && found->second.id == job.connection) {
    found->second.working = false;
    answer(job.fd, "200 OK", job.close);
  }
  begin_jobs();
}

void WorkServer::answer(int fd, std::string_view status, bool close_after) {
  const std::string body = settings_.name + "\n";
  const std::string text = "HTTP/1.1 " + std::string(status) + "\r\nX-Backend: " + settings_.name +
                           "\r\nContent-Length: " + std::to_string(body.size()) +
                           "\r\nConnection: " + (close_after ? "close" : "keep-alive") + "\r\n\r\n" + body;
  // A few hundred bytes into an empty buffer: what does not fit has a client that does not read.
  const bool sent = send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
  if (!sent || close_after) drop(fd);
}

void WorkServer::drop(int fd) {
  const auto found = connections_.find(fd);
  if (found == connections_.end()) return;
  loop_.forget(found->second.token);
  connections_.erase(found);
  close(fd);
}

}  // namespace penstock::traffic

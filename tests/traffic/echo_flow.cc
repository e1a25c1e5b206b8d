#include "tests/traffic/echo_flow.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "tests/traffic/pattern.h"

namespace penstock::traffic {

namespace {

constexpr std::size_t kMaxGreeting = 64;
constexpr std::uint64_t kLargeEvery = 16;

}  // namespace

std::string reason_of(int error_number) {
  if (error_number == ECONNRESET) return "reset";
  if (error_number == ETIMEDOUT) return "timeout";
  return std::strerror(error_number);
}

EchoFlow::EchoFlow(EventLoop& loop, const EchoSettings& settings, const Endpoint& to, std::uint64_t id)
    : loop_(loop), settings_(settings), id_(id), fd_(connected_socket(to, SOCK_STREAM)) {
  gap_.begin(monotonic_now());
  if (fd_ < 0) {
    fail(reason_of(errno));
    return;
  }
  // The flow never has more than one message under way, a "thin" stream: its retransmissions shall not back
  // off, so that the gap is that of the network and not that of a timer.
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS, &on, sizeof on);
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  token_ = loop_.watch(fd_, EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
  loop_.after_ms(settings_.interval_ms, [this] { tick(); });
}

EchoFlow::~EchoFlow() {
  if (fd_ < 0) return;
  loop_.forget(token_);
  // A reset leaves no TIME_WAIT, of which thousands would block ports for the next scenario.
  const linger reset{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  close(fd_);
}

void EchoFlow::mark() {
  gap_.mark();
  retransmitted_before_ = total_retransmitted();
}

std::uint32_t EchoFlow::total_retransmitted() const {
  tcp_info info{};
  socklen_t length = sizeof info;
  if (fd_ < 0 || getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &length) != 0) return last_retransmitted_;
  return info.tcpi_total_retrans;
}

void EchoFlow::on_ready(std::uint32_t events) {
  if ((events & EPOLLERR) != 0U) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(reason_of(error));
  }
  receive();
}

void EchoFlow::receive() {
  std::array<char, 8192> buffer;
  const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(reason_of(errno));
    return;
  }
  if (count == 0) return fail("closed");
  take(buffer.data(), static_cast<std::size_t>(count), monotonic_now());
}

void EchoFlow::take(const char* data, std::size_t size, Nanoseconds now) {
  if (backend_.empty()) {
    greeting_.append(data, size);
    const std::size_t end = greeting_.find('\n');
    if (end == std::string::npos && greeting_.size() < kMaxGreeting) return;
    if (end == 0 || end + 1 != greeting_.size()) return fail("wrong byte");
    backend_ = greeting_.substr(0, end);
    return gap_.end(now);
  }
  if (size > expected_.size() - returned_) return fail("wrong byte");
  if (std::memcmp(data, expected_.data() + returned_, size) != 0) return fail("wrong byte");
  returned_ += size;
  if (returned_ < expected_.size()) return;
  expected_.clear();
  returned_ = 0;
  ++answered_;
  gap_.end(now);
}

void EchoFlow::tick() {
  if (!broken_.empty()) return;
  const Nanoseconds now = monotonic_now();
  if (gap_.waited(now) > Nanoseconds::from_millis(settings_.timeout_ms)) return fail("timeout");
  if (!gap_.open() && retiring_) return fail("retired");
  if (!gap_.open() && !stopping_) send_next();
  if (gap_.open() || !stopping_) loop_.after_ms(settings_.interval_ms, [this] { tick(); });
}

void EchoFlow::send_next() {
  const std::uint64_t sequence = sequence_++;
  const bool large = sequence % kLargeEvery == kLargeEvery - 1;
  expected_ = message(id_, sequence, large ? settings_.large_bytes : settings_.small_bytes);
  gap_.begin(monotonic_now());
  const ssize_t sent = send(fd_, expected_.data(), expected_.size(), MSG_NOSIGNAL);
  if (sent < 0) return fail(reason_of(errno));
  // One message always fits into an empty send buffer.
  if (static_cast<std::size_t>(sent) != expected_.size()) fail("send buffer");
}

void EchoFlow::fail(std::string reason) {
  broken_ = std::move(reason);
  broken_at_ = monotonic_now();
  if (fd_ < 0) return;
  last_retransmitted_ = total_retransmitted();
  loop_.forget(token_);
  close(fd_);
  fd_ = -1;
}

}  // namespace penstock::traffic

#include "tests/traffic/download.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>

#include "tests/traffic/pattern.h"

namespace penstock::traffic {

namespace {

constexpr std::size_t kMaxHead = 4096;
constexpr std::uint64_t kTickMs = 1000;

/// Value of a header as nginx writes it; empty when it is not there.
std::string header(const std::string& head, const std::string& name) {
  const std::size_t found = head.find("\r\n" + name + ": ");
  if (found == std::string::npos) return {};
  const std::size_t begin = found + name.size() + 4;
  return head.substr(begin, head.find("\r\n", begin) - begin);
}

}  // namespace

Download::Download(EventLoop& loop, const DownloadSettings& settings, const Endpoint& to)
    : loop_(loop), settings_(settings), to_(to) {
  begin();
  loop_.after_ms(kTickMs, [this] { tick(); });
}

Download::~Download() { drop(); }

void Download::begin() {
  asked_ = in_body_ = false;
  head_.clear();
  expected_ = offset_ = 0;
  gap_.begin(monotonic_now());
  fd_ = connected_socket(to_, SOCK_STREAM);
  if (fd_ < 0) return fail(reason_of(errno));
  token_ = loop_.watch(fd_, EPOLLOUT, [this](std::uint32_t events) { on_ready(events); });
}

void Download::on_ready(std::uint32_t events) {
  if ((events & EPOLLERR) != 0U) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) return fail(reason_of(error));
  }
  if (asked_) return receive();
  const std::string request = "GET " + settings_.path + " HTTP/1.1\r\nHost: lab\r\nConnection: close\r\n\r\n";
  if (send(fd_, request.data(), request.size(), MSG_NOSIGNAL) < 0) return fail(reason_of(errno));
  asked_ = true;
  loop_.change(token_, EPOLLIN);
}

void Download::receive() {
  std::array<char, 65536> buffer;
  const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(reason_of(errno));
    return;
  }
  if (count == 0) return fail("closed");
  const Nanoseconds now = monotonic_now();
  const char* data = buffer.data();
  auto size = static_cast<std::size_t>(count);
  if (!in_body_) {
    const std::size_t before = head_.size();
    head_.append(data, size);
    if (!take_head()) return;
    const std::size_t used = head_.size() - before;
    data += used;
    size -= used;
  }
  if (!right(data, size)) return fail("wrong byte");
  offset_ += size;
  bytes_ += size;
  gap_.end(now);
  if (offset_ < expected_) return gap_.begin(now);
  ++completed_;
  drop();
  if (!stopping_) begin();
}

/// False while there is no whole head, or no good one. Cuts head_ to the head.
bool Download::take_head() {
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos) {
    if (head_.size() > kMaxHead) fail("no HTTP head");
    return false;
  }
  head_.resize(end + 4);
  const std::string length = header(head_, "Content-Length");
  std::from_chars(length.data(), length.data() + length.size(), expected_);
  if (head_.rfind("HTTP/1.1 200", 0) != 0 || expected_ == 0) {
    fail(head_.substr(0, head_.find("\r\n")));
    return false;
  }
  backend_ = header(head_, "X-Backend");
  return in_body_ = true;
}

bool Download::right(const char* data, std::size_t size) const {
  if (size > expected_ - offset_) return false;
  for (std::size_t i = 0; i < size; ++i) {
    if (data[i] != download_byte(offset_ + i)) return false;
  }
  return true;
}

void Download::tick() {
  if (!broken_.empty()) return;
  if (gap_.waited(monotonic_now()) > Nanoseconds::from_millis(settings_.timeout_ms)) return fail("timeout");
  if (!stopping_) loop_.after_ms(kTickMs, [this] { tick(); });
}

void Download::fail(std::string reason) {
  broken_ = std::move(reason);
  broken_at_ = monotonic_now();
  drop();
}

void Download::drop() {
  if (fd_ < 0) return;
  loop_.forget(token_);
  close(fd_);
  fd_ = -1;
}

}  // namespace penstock::traffic

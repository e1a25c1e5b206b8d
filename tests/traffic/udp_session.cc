#include "tests/traffic/udp_session.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <string_view>
#include <system_error>

namespace penstock::traffic {

UdpSession::UdpSession(EventLoop& loop, const SessionSettings& settings, const Endpoint& to,
                       std::uint16_t source_port, std::uint64_t id)
    : loop_(loop), settings_(settings), id_(id), fd_(connected_socket(to, SOCK_DGRAM, source_port)) {
  if (fd_ < 0) throw std::system_error(errno, std::generic_category(), "UDP socket to " + to.text());
  token_ = loop_.watch(fd_, EPOLLIN, [this](std::uint32_t) { receive(); });
  tick();
}

UdpSession::~UdpSession() {
  loop_.forget(token_);
  close(fd_);
}

void UdpSession::mark() {
  sent_ = answered_ = lost_ = moved_ = 0;
  waiting_.clear();
  gap_.end(monotonic_now());
  gap_.mark();
}

void UdpSession::tick() {
  const Nanoseconds now = monotonic_now();
  expire(now);
  if (!stopping_) {
    const std::string text = std::to_string(id_) + " " + std::to_string(sequence_);
    waiting_.emplace(sequence_++, now);
    ++sent_;
    gap_.begin(now);
    // A datagram that could not even be sent (an ICMP error of an earlier one) is lost like any other.
    send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  if (!stopping_ || !waiting_.empty()) loop_.after_ms(settings_.interval_ms, [this] { tick(); });
}

void UdpSession::expire(Nanoseconds now) {
  const Nanoseconds patience = Nanoseconds::from_millis(settings_.timeout_ms);
  while (!waiting_.empty() && now - waiting_.begin()->second > patience) {
    waiting_.erase(waiting_.begin());
    ++lost_;
  }
}

void UdpSession::receive() {
  std::array<char, 256> buffer;
  const ssize_t count = recv(fd_, buffer.data(), buffer.size(), 0);
  if (count < 0) return;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
  const std::size_t name_end = text.find(' ');
  const std::size_t number = text.rfind(' ');
  if (name_end == std::string_view::npos || number == name_end) return;
  if (text.substr(name_end + 1, number - name_end - 1) != std::to_string(id_)) return;
  std::uint64_t sequence = 0;
  std::from_chars(text.data() + number + 1, text.data() + text.size(), sequence);
  const auto found = waiting_.find(sequence);
  if (found == waiting_.end()) return;  // later than its patience, or of before the mark
  waiting_.erase(found);
  const std::string_view name = text.substr(0, name_end);
  if (backend_.empty()) backend_ = name;
  name == backend_ ? ++answered_ : ++moved_;
  gap_.end(monotonic_now());
}

}  // namespace penstock::traffic

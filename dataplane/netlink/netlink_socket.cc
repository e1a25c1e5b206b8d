#include "dataplane/netlink/netlink_socket.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <utility>

namespace penstock {
namespace {

// A dump of a large table arrives in bursts; the default of 208 kB overruns at a few thousand neighbours.
constexpr int kReceiveBufferBytes = 4 << 20;
constexpr int kAnswerTimeoutMs = 5'000;

Error system_error(const std::string& what) {
  return unavailable("netlink: " + what + ": " + std::strerror(errno));
}

// Visits the messages in a datagram; returns false once `visit` says stop.
template <class Visit>
bool each_message(const std::uint8_t* data, std::size_t size, Visit visit) {
  while (size >= sizeof(nlmsghdr)) {
    const auto& message = *reinterpret_cast<const nlmsghdr*>(data);
    if (message.nlmsg_len < sizeof(nlmsghdr) || message.nlmsg_len > size) return true;
    if (!visit(message)) return false;
    const std::size_t step = NLMSG_ALIGN(message.nlmsg_len);
    if (step >= size) return true;
    data += step;
    size -= step;
  }
  return true;
}

}  // namespace

NetlinkRequest& NetlinkRequest::attribute(std::uint16_t type, const void* data, std::size_t size) {
  const std::size_t at = bytes_.size();
  rtattr attribute{};
  attribute.rta_type = type;
  attribute.rta_len = static_cast<unsigned short>(RTA_LENGTH(size));
  bytes_.resize(at + attribute.rta_len);
  std::memcpy(bytes_.data() + at, &attribute, sizeof attribute);
  if (size > 0) std::memcpy(bytes_.data() + at + RTA_LENGTH(0), data, size);
  seal();
  return *this;
}

NetlinkAttributes::NetlinkAttributes(const void* data, std::size_t size) {
  const auto* at = static_cast<const std::uint8_t*>(data);
  while (size >= sizeof(rtattr)) {
    rtattr attribute;
    std::memcpy(&attribute, at, sizeof attribute);
    if (attribute.rta_len < sizeof(rtattr) || attribute.rta_len > size) return;
    const std::uint16_t type = attribute.rta_type & NLA_TYPE_MASK;
    if (type < kMaxType) values_[type] = {at + RTA_LENGTH(0), attribute.rta_len - RTA_LENGTH(0)};
    const std::size_t step = RTA_ALIGN(attribute.rta_len);
    if (step >= size) return;
    at += step;
    size -= step;
  }
}

std::uint32_t NetlinkAttributes::u32(std::uint16_t type) const {
  std::uint32_t value = 0;
  const auto bytes = (*this)[type];
  if (bytes.size() == sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

Result<NetlinkSocket> NetlinkSocket::open(std::initializer_list<unsigned> groups) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return system_error("socket");
  NetlinkSocket opened(fd);
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBufferBytes, sizeof kReceiveBufferBytes) != 0) {
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
  }
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return system_error("bind");
  for (const unsigned group : groups) {
    if (setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) != 0) {
      return system_error("subscribing to group " + std::to_string(group));
    }
  }
  return opened;
}

NetlinkSocket::NetlinkSocket(NetlinkSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), sequence_(other.sequence_), buffer_(std::move(other.buffer_)) {}

NetlinkSocket::~NetlinkSocket() {
  if (fd_ >= 0) close(fd_);
}

Status NetlinkSocket::send(std::span<const std::uint8_t> messages) {
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  while (sendto(fd_, messages.data(), messages.size(), 0, reinterpret_cast<const sockaddr*>(&kernel),
                sizeof kernel) < 0) {
    if (errno != EINTR) return system_error("send");
  }
  return Ok{};
}

Result<std::size_t> NetlinkSocket::receive(bool wait, bool& lost) {
  for (;;) {
    if (wait) {
      pollfd readable{fd_, POLLIN, 0};
      const int ready = poll(&readable, 1, kAnswerTimeoutMs);
      if (ready == 0) return unavailable("netlink: the kernel did not answer within 5 s");
      if (ready < 0 && errno != EINTR) return system_error("poll");
      if (ready < 0) continue;
    }
    sockaddr_nl sender{};
    socklen_t length = sizeof sender;
    const ssize_t n = recvfrom(fd_, buffer_.data(), buffer_.size(), MSG_DONTWAIT,
                               reinterpret_cast<sockaddr*>(&sender), &length);
    if (n >= 0) {
      if (sender.nl_pid != 0) continue;  // another process may write to us; only the kernel is believed
      return static_cast<std::size_t>(n);
    }
    if (errno == EINTR) continue;
    if (errno == ENOBUFS) {
      lost = true;
      return std::size_t{0};
    }
    if (errno == EAGAIN && wait) continue;
    if (errno == EAGAIN) return std::size_t{0};
    return system_error("receive");
  }
}

Status NetlinkSocket::dump(std::uint16_t type, std::uint8_t family, const NetlinkVisitor& visit) {
  // rtgenmsg alone is refused by strict checking for some types; the largest family header suits all.
  struct {
    std::uint8_t family;
    std::uint8_t rest[15];
  } any{};
  static_assert(sizeof any == sizeof(ifinfomsg), "links have the largest header of the tables dumped here");
  any.family = family;
  NetlinkRequest request(type, NLM_F_DUMP, any);
  const std::uint32_t sequence = ++sequence_;
  if (auto sent = send(request.sequence(sequence).bytes()); !sent) return sent;

  Status outcome = Ok{};
  for (bool more = true; more;) {
    bool lost = false;
    auto size = receive(true, lost);
    if (!size) return size.error();
    if (lost) return unavailable("netlink: the dump overran the receive buffer");
    each_message(buffer_.data(), *size, [&](const nlmsghdr& message) {
      if (message.nlmsg_seq != sequence) return true;
      if (message.nlmsg_type == NLMSG_DONE) more = false;
      if (message.nlmsg_type == NLMSG_ERROR) {
        const auto* error = family_header<nlmsgerr>(message);
        errno = error == nullptr ? EPROTO : -error->error;
        outcome = system_error("dump");
        more = false;
      }
      if (more) visit(message);
      return more;
    });
  }
  return outcome;
}

Status NetlinkSocket::collect(std::size_t count, const NetlinkVisitor& visit) {
  std::size_t visited = 0;
  while (visited < count) {
    bool lost = false;
    auto size = receive(true, lost);
    if (!size) return size.error();
    if (lost) return unavailable("netlink: answers were lost in the receive buffer");
    each_message(buffer_.data(), *size, [&](const nlmsghdr& message) {
      visit(message);
      return ++visited < count;
    });
  }
  return Ok{};
}

Result<bool> NetlinkSocket::drain(const NetlinkVisitor& visit) {
  bool lost = false;
  for (;;) {
    auto size = receive(false, lost);
    if (!size) return size.error();
    if (*size == 0) return !lost;
    each_message(buffer_.data(), *size, [&](const nlmsghdr& message) {
      visit(message);
      return true;
    });
  }
}

}  // namespace penstock

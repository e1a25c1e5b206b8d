#include "dataplane/probe/prober.h"

#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "penstock/base/clock.h"
#include "penstock/base/wall_clock.h"

namespace penstock {
namespace {

constexpr std::size_t kBatch = 64;  // datagrams per system call
constexpr int kSocketBuffer = 4 << 20;
constexpr Nanoseconds kLeastPatience = Nanoseconds::from_millis(10);
constexpr Nanoseconds kWake = Nanoseconds::from_millis(2);  // between looks at what has arrived

using AnyAddress = std::array<std::uint8_t, sizeof(sockaddr_in6)>;

socklen_t write_address(const IpAddr& address, AnyAddress& out) {
  if (address.is_v6()) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(PENSTOCK_GUE_PORT);
    std::memcpy(&v6.sin6_addr, address.data(), 16);
    std::memcpy(out.data(), &v6, sizeof v6);
    return sizeof v6;
  }
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(PENSTOCK_GUE_PORT);
  std::memcpy(&v4.sin_addr, address.data(), 4);
  std::memcpy(out.data(), &v4, sizeof v4);
  return sizeof v4;
}

/// The sender; nothing when it is not the probe port that answered.
std::optional<IpAddr> read_address(const AnyAddress& in) {
  sockaddr_in6 v6;
  std::memcpy(&v6, in.data(), sizeof v6);
  if (v6.sin6_port != htons(PENSTOCK_GUE_PORT)) return std::nullopt;  // at the same place in both families
  if (v6.sin6_family == AF_INET6) {
    Ipv6Addr address;
    std::memcpy(address.bytes.data(), &v6.sin6_addr, 16);
    return IpAddr(address);
  }
  sockaddr_in v4;
  std::memcpy(&v4, in.data(), sizeof v4);
  Ipv4Addr address;
  std::memcpy(address.bytes.data(), &v4.sin_addr, 4);
  return IpAddr(address);
}
static_assert(offsetof(sockaddr_in, sin_port) == offsetof(sockaddr_in6, sin6_port),
              "read_address relies on it");

/// -1 when this host lacks the family.
int open_socket(int family) {
  const int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kSocketBuffer, sizeof kSocketBuffer);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &kSocketBuffer, sizeof kSocketBuffer);
  if (family == AF_INET6) {
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    // Replies carry no UDP checksum: the MAC protects them, and the driver need not compute another.
    setsockopt(fd, IPPROTO_UDP, UDP_NO_CHECK6_RX, &on, sizeof on);
  }
  return fd;
}

/// What is to leave by one socket, gathered for one system call.
class Outgoing {
 public:
  explicit Outgoing(int fd) : fd_(fd) {}

  void add(const IpAddr& to, std::span<const std::uint8_t> datagram) {
    if (fd_ < 0) return;
    Datagram& d = datagrams_[count_];
    std::memcpy(d.bytes.data(), datagram.data(), datagram.size());
    d.vector = {d.bytes.data(), datagram.size()};
    messages_[count_] = {};
    messages_[count_].msg_hdr.msg_name = d.address.data();
    messages_[count_].msg_hdr.msg_namelen = write_address(to, d.address);
    messages_[count_].msg_hdr.msg_iov = &d.vector;
    messages_[count_].msg_hdr.msg_iovlen = 1;
    if (++count_ == kBatch) flush();
  }

  /// A datagram that the kernel does not take (no route, a full buffer) is one that gets no answer.
  void flush() {
    for (std::size_t at = 0; at < count_;) {
      const int sent = sendmmsg(fd_, messages_.data() + at, static_cast<unsigned>(count_ - at), 0);
      at += sent > 0 ? static_cast<std::size_t>(sent) : 1;
    }
    count_ = 0;
  }

 private:
  struct Datagram {
    ProbeDatagram bytes;
    AnyAddress address;
    iovec vector;
  };
  int fd_;
  std::size_t count_ = 0;
  std::vector<Datagram> datagrams_{kBatch};
  std::vector<mmsghdr> messages_{kBatch};
};

/// Names this process in nonces.
std::uint64_t random_process() {
  std::uint64_t name = 0;
  if (getrandom(&name, sizeof name, 0) != static_cast<ssize_t>(sizeof name)) name = monotonic_now().count();
  return name;
}

ProbeRoundsSettings settings_of(Nanoseconds interval) {
  const Nanoseconds half(interval.count() / 2);
  return {interval, half > kLeastPatience + kWake ? half - kWake : kLeastPatience, random_process(),
          unix_now() - monotonic_now()};
}

}  // namespace

class Prober::Thread {
 public:
  Thread(Nanoseconds interval, ProbeSink& sink, int v4, int v6, int wake)
      : v4_(v4),
        v6_(v6),
        wake_(wake),
        to_v4_(v4),
        to_v6_(v6),
        sink_(sink),
        rounds_(settings_of(interval), sink) {
    thread_ = std::thread([this] { run(); });
  }
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    eventfd_write(wake_, 1);
    thread_.join();
    for (const int fd : {v4_, v6_, wake_}) {
      if (fd >= 0) close(fd);
    }
  }

  void follow(ProbePlan plan) {
    {
      const std::lock_guard lock(mutex_);
      next_plan_ = std::move(plan);
    }
    eventfd_write(wake_, 1);
  }

  [[nodiscard]] ProbeCounters counters() const { return rounds_.counters(); }

 private:
  void run() {
    while (wait()) {
      const Nanoseconds heard = monotonic_now();
      receive(v4_);
      receive(v6_);
      const Nanoseconds now = monotonic_now();
      rounds_.judge(heard, now);
      rounds_.send_due(
          now, [this](std::size_t address, std::uint64_t message, std::span<const std::uint8_t> datagram) {
            const IpAddr& to = addresses_[address];
            (to.is_v6() ? to_v6_ : to_v4_).add(to, datagram);
            sent_.push_back(message);
            return true;
          });
      to_v4_.flush();
      to_v6_.flush();
      for (const std::uint64_t message : std::exchange(sent_, {}))
        rounds_.transmitted(message, monotonic_now());
      if (rounds_.next_due()) sink_.tick(now);
    }
  }

  /// Until something arrives, is due or changes. False: to stop.
  bool wait() {
    timespec pause{};
    const auto due = rounds_.next_due();
    if (due) {
      pause.tv_nsec = static_cast<long>(kWake.count());
    }
    pollfd fds[] = {{wake_, POLLIN, 0}, {v4_, POLLIN, 0}, {v6_, POLLIN, 0}};
    ppoll(fds, std::size(fds), due ? &pause : nullptr, nullptr);
    eventfd_t woken;
    if (fds[0].revents == 0 || eventfd_read(wake_, &woken) != 0) return true;
    std::optional<ProbePlan> plan;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      plan = std::exchange(next_plan_, std::nullopt);
    }
    if (!plan) return true;
    addresses_.clear();
    for (const ProbedAddress& a : plan->addresses) addresses_.push_back(a.address);
    rounds_.follow(std::move(*plan), monotonic_now());
    return true;
  }

  void receive(int fd) {
    if (fd < 0) return;
    for (;;) {
      std::array<std::array<std::uint8_t, kMaxProbeDatagram + 1>, kBatch>
          bytes;  // one more shows what is too long
      std::array<AnyAddress, kBatch> from{};
      std::array<iovec, kBatch> vectors;
      std::array<mmsghdr, kBatch> messages{};
      for (std::size_t i = 0; i < kBatch; ++i) {
        vectors[i] = {bytes[i].data(), bytes[i].size()};
        messages[i].msg_hdr.msg_name = from[i].data();
        messages[i].msg_hdr.msg_namelen = sizeof from[i];
        messages[i].msg_hdr.msg_iov = &vectors[i];
        messages[i].msg_hdr.msg_iovlen = 1;
      }
      const int received = recvmmsg(fd, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
      const Nanoseconds now = monotonic_now();
      for (int i = 0; i < received; ++i) {
        const auto n = static_cast<std::size_t>(i);
        const auto sender = read_address(from[n]);
        rounds_.receive(sender.value_or(IpAddr()), std::span(bytes[n]).first(messages[n].msg_len), now, now);
      }
      if (received < static_cast<int>(kBatch)) return;
    }
  }

  const int v4_;
  const int v6_;
  const int wake_;
  Outgoing to_v4_;
  Outgoing to_v6_;
  ProbeSink& sink_;
  ProbeRounds rounds_;
  std::vector<IpAddr> addresses_;    // by position in the plan
  std::vector<std::uint64_t> sent_;  // messages of this look
  std::mutex mutex_;
  bool stopping_ = false;
  std::optional<ProbePlan> next_plan_;
  std::thread thread_;
};

Prober::Prober(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Prober::~Prober() = default;

Result<std::unique_ptr<Prober>> Prober::start(Nanoseconds interval, ProbeSink& sink) {
  const int v4 = open_socket(AF_INET);
  const int v6 = open_socket(AF_INET6);
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if ((v4 < 0 && v6 < 0) || wake < 0) {
    const Error error = unavailable(std::string("cannot probe backends: ") + std::strerror(errno));
    for (const int fd : {v4, v6, wake}) {
      if (fd >= 0) close(fd);
    }
    return error;
  }
  return std::unique_ptr<Prober>(new Prober(std::make_unique<Thread>(interval, sink, v4, v6, wake)));
}

void Prober::follow(ProbePlan plan) { thread_->follow(std::move(plan)); }
ProbeCounters Prober::counters() const { return thread_->counters(); }

}  // namespace penstock

#include "tests/traffic/udp_load.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace penstock::traffic {

namespace {

constexpr std::uint64_t kFirstPort = 10240;
constexpr std::uint64_t kPorts = 54000;
// A run begins where the clock says, faster than any run of the lab uses ports up, so that one run does not
// repeat the 5-tuples of the run before it while gateways still remember them (UDP flows: 60 s).
constexpr std::uint64_t kPortsPerSecond = 400;

}  // namespace

UdpLoad::UdpLoad(EventLoop& loop, Recorder& recorder, UdpSettings settings)
    : loop_(loop),
      recorder_(recorder),
      settings_(std::move(settings)),
      next_port_(monotonic_now().count() / (1'000'000'000 / kPortsPerSecond)) {}

UdpLoad::~UdpLoad() {
  for (auto& [id, flow] : flows_) {
    loop_.forget(flow.token);
    close(flow.fd);
  }
}

void UdpLoad::start() {
  if (settings_.targets.empty() || settings_.flows_per_second <= 0) return;
  next_ = monotonic_now();
  tick();
}

void UdpLoad::tick() {
  if (stopping_) return;
  const Nanoseconds now = monotonic_now();
  if (now > next_ + Nanoseconds::from_millis(500)) next_ = now;
  while (next_ <= now) {
    begin();
    next_ = next_ + Nanoseconds(static_cast<std::uint64_t>(1e9 / settings_.flows_per_second));
  }
  loop_.at(next_, [this] { tick(); });
}

void UdpLoad::begin() {
  const std::uint64_t id = next_id_++;
  Flow flow;
  flow.target = id % settings_.targets.size();
  flow.fd = open_socket(settings_.targets[flow.target]);
  if (flow.fd < 0) {
    const Nanoseconds now = monotonic_now();
    recorder_.add({"udp", flow.target, now, now, "", std::string("connect: ") + std::strerror(errno), id, 0});
    return;
  }
  flow.token = loop_.watch(flow.fd, EPOLLIN, [this, id](std::uint32_t) { receive(id); });
  flows_.emplace(id, std::move(flow));
  send_next(id);
}

int UdpLoad::open_socket(const Endpoint& target) {
  // A new 5-tuple each time: a port that the kernel chose could be that of a flow only just ended, which a
  // load balancer rightly takes for the same flow.
  for (int attempt = 0; attempt < 100; ++attempt) {
    const auto port = static_cast<std::uint16_t>(kFirstPort + next_port_++ % kPorts);
    const int fd = connected_socket(target, SOCK_DGRAM, port);
    if (fd >= 0 || errno != EADDRINUSE) return fd;
  }
  return -1;
}

std::string UdpLoad::payload(std::uint64_t id, std::uint64_t sequence) {
  return std::to_string(id) + " " + std::to_string(sequence) + " penstock";
}

void UdpLoad::send_next(std::uint64_t id) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return;
  Flow& flow = found->second;
  const std::uint64_t sequence = flow.sent++;
  flow.waiting.emplace(sequence, monotonic_now());
  const std::string text = payload(id, sequence);
  const ssize_t sent = send(flow.fd, text.data(), text.size(), MSG_NOSIGNAL);
  const int why = errno;
  if (flow.sent < settings_.datagrams) {
    loop_.after_ms(settings_.interval_ms, [this, id] { send_next(id); });
  }
  if (sent < 0) return settle(id, sequence, std::string("send: ") + std::strerror(why));
  loop_.after_ms(settings_.timeout_ms, [this, id, sequence] { settle(id, sequence, "lost"); });
}

void UdpLoad::receive(std::uint64_t id) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return;
  Flow& flow = found->second;
  std::array<char, 2048> buffer;
  const ssize_t count = recv(flow.fd, buffer.data(), buffer.size(), 0);
  if (count < 0) {
    const bool fatal = errno != EAGAIN && errno != EINTR && !flow.waiting.empty();
    if (fatal) settle(id, flow.waiting.begin()->first, std::string("receive: ") + std::strerror(errno));
    return;
  }
  const std::string_view text(buffer.data(), static_cast<std::size_t>(count));
  const std::size_t name_end = text.find(' ');
  const std::string backend(text.substr(0, name_end));
  for (const auto& [sequence, sent_at] : flow.waiting) {
    if (name_end == std::string_view::npos || text.substr(name_end + 1) != payload(id, sequence)) continue;
    const bool changed = !flow.backend.empty() && flow.backend != backend;
    flow.backend = backend;
    return settle(id, sequence, changed ? "backend changed within a flow" : "");
  }
}

void UdpLoad::settle(std::uint64_t id, std::uint64_t sequence, std::string error) {
  const auto found = flows_.find(id);
  if (found == flows_.end()) return;
  Flow& flow = found->second;
  const auto waiting = flow.waiting.find(sequence);
  if (waiting == flow.waiting.end()) return;
  const bool answered = error.empty() || error == "backend changed within a flow";
  recorder_.add({"udp", flow.target, waiting->second, monotonic_now(), answered ? flow.backend : "",
                 std::move(error), id, sequence});
  flow.waiting.erase(waiting);
  close_if_done(id);
}

void UdpLoad::close_if_done(std::uint64_t id) {
  Flow& flow = flows_.at(id);
  if (!flow.waiting.empty() || flow.sent < settings_.datagrams) return;
  loop_.forget(flow.token);
  close(flow.fd);
  flows_.erase(id);
}

}  // namespace penstock::traffic

#include "dataplane/probe/prober.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "dataplane/own/own_headers.h"
#include "penstock/base/clock.h"
#include "penstock/base/wall_clock.h"
#include "penstock/net/headers.h"

namespace penstock {
namespace {

constexpr Nanoseconds kLeastPatience = Nanoseconds::from_millis(10);
constexpr Nanoseconds kLeastWake = Nanoseconds::from_millis(1);
constexpr Nanoseconds kLongestWake = Nanoseconds::from_millis(4);
constexpr std::uint64_t kWakesPerInterval = 16;
constexpr Nanoseconds kTick = Nanoseconds::from_millis(10);

Nanoseconds wake_of(Nanoseconds interval) {
  return std::clamp(Nanoseconds(interval.count() / kWakesPerInterval), kLeastWake, kLongestWake);
}

/// Names this process in nonces.
std::uint64_t random_process() {
  std::uint64_t name = 0;
  if (getrandom(&name, sizeof name, 0) != static_cast<ssize_t>(sizeof name)) name = monotonic_now().count();
  return name;
}

/// A loss is noticed, and told, half an interval after the question at the latest: it may leave one wake late
/// and be judged another one late.
ProbeRoundsSettings settings_of(Nanoseconds interval) {
  const std::uint64_t half = interval.count() / 2;
  const std::uint64_t late = 2 * wake_of(interval).count();
  const Nanoseconds patience = std::max(kLeastPatience, Nanoseconds(half > late ? half - late : 0));
  return {interval, patience, random_process(), unix_now() - monotonic_now()};
}

std::size_t worker_of(const IpAddr& address, std::size_t workers) {
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a
  for (std::size_t i = 0; i < address.size(); ++i) hash = (hash ^ address.data()[i]) * 1099511628211U;
  return (hash >> 32) % workers;
}

/// The message in an answer; the sender is nobody unless it is the probe port that answered.
std::pair<IpAddr, std::span<const std::uint8_t>> read_answer(const InFrame& frame) {
  std::span<const std::uint8_t> segment = frame.segment();
  if (frame.protocol != kProtoUdp || !frame.is_whole) return {IpAddr(), {}};
  UdpHeader udp;
  std::memcpy(&udp, segment.data(), sizeof udp);
  const std::size_t length = udp.length.host();
  if (length < sizeof udp || length > segment.size()) return {IpAddr(), {}};
  const bool is_probe_port = udp.source_port.host() == PENSTOCK_GUE_PORT;
  return {is_probe_port ? frame.source() : IpAddr(), segment.subspan(sizeof udp, length - sizeof udp)};
}

}  // namespace

class Prober::Thread {
 public:
  Thread(Nanoseconds interval, ProbeSink& sink, OwnChannel& channel, int wake_fd)
      : sink_(sink),
        channel_(channel),
        wake_(wake_of(interval)),
        wake_fd_(wake_fd),
        rounds_(settings_of(interval), sink) {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "penstock-probe");
  }
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    eventfd_write(wake_fd_, 1);
    thread_.join();
    close(wake_fd_);
  }

  void follow(ProbePlan plan) {
    {
      const std::lock_guard lock(mutex_);
      next_plan_ = std::move(plan);
    }
    eventfd_write(wake_fd_, 1);
  }
  void reach(std::shared_ptr<const NextHops> hops) {
    {
      const std::lock_guard lock(mutex_);
      next_hops_ = std::move(hops);
    }
    eventfd_write(wake_fd_, 1);
  }
  [[nodiscard]] ProbeCounters counters() const { return rounds_.counters(); }

 private:
  struct Way {
    IpAddr address;
    std::size_t worker = 0;
    const NextHop* hop = nullptr;  // of hops_; null: none is known
  };

  void run() {
    const ProbeRounds::Send send = [this](std::size_t address, std::uint64_t message,
                                          std::span<const std::uint8_t> datagram) {
      return put(ways_[address], message, datagram);
    };
    while (wait()) {
      hear();
      const Nanoseconds now = monotonic_now();
      rounds_.send_due(now, send);
      if (ways_.empty() || now < next_tick_) continue;
      sink_.tick(now);
      next_tick_ = now + kTick;
    }
  }

  void hear() {
    const std::uint64_t dropped = channel_.dropped();
    for (std::size_t i = 0; i < channel_.workers(); ++i) {
      channel_.out(i).reap([this](std::uint64_t message, Nanoseconds sent) {
        if (sent == Nanoseconds()) return rounds_.not_transmitted(message);
        rounds_.transmitted(message, sent);
      });
    }
    const Nanoseconds heard = channel_.heard();
    Nanoseconds now = monotonic_now();
    for (std::size_t i = 0; i < channel_.workers(); ++i) {
      channel_.in(i).drain([this, now](const InFrame& frame) {
        const auto [from, datagram] = read_answer(frame);
        rounds_.receive(from, datagram, frame.arrived, now);
      });
    }
    // An answer may be among what was dropped.
    if (std::exchange(dropped_, dropped) != dropped) rounds_.excuse();
    rounds_.judge(heard, monotonic_now());
  }

  bool put(const Way& way, std::uint64_t message, std::span<const std::uint8_t> datagram) {
    if (way.hop == nullptr) return false;
    OutFrame* const frame = channel_.out(way.worker).claim();
    if (frame == nullptr) return false;
    const auto port = static_cast<std::uint16_t>(channel_.ports().first + way.worker);
    frame->length = static_cast<std::uint32_t>(
        write_own_datagram(*way.hop, way.address, port, PENSTOCK_GUE_PORT, datagram, frame->bytes.data()));
    frame->egress_port = way.hop->port;
    channel_.out(way.worker).push(message);
    return true;
  }

  /// Until it is time for the next look, or something changes. False: to stop.
  bool wait() {
    const timespec pause{0, static_cast<long>(wake_.count())};
    pollfd woken{wake_fd_, POLLIN, 0};
    ppoll(&woken, 1, ways_.empty() ? nullptr : &pause, nullptr);
    eventfd_t times;
    if (woken.revents == 0 || eventfd_read(wake_fd_, &times) != 0) return true;
    std::optional<ProbePlan> plan;
    std::shared_ptr<const NextHops> hops;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return false;
      plan = std::exchange(next_plan_, std::nullopt);
      hops = std::exchange(next_hops_, nullptr);
    }
    if (plan) follow_now(std::move(*plan));
    if (hops != nullptr) hops_ = std::move(hops);
    find_ways();
    return true;
  }

  void follow_now(ProbePlan plan) {
    ways_.clear();
    for (const ProbedAddress& a : plan.addresses)
      ways_.push_back({a.address, worker_of(a.address, channel_.workers()), nullptr});
    rounds_.follow(std::move(plan), monotonic_now());
  }

  void find_ways() {
    for (Way& way : ways_) {
      const auto found = hops_->find(way.address);
      const bool usable = found != hops_->end() && found->second.outer_source.is_v6() == way.address.is_v6();
      way.hop = usable ? &found->second : nullptr;
    }
  }

  ProbeSink& sink_;
  OwnChannel& channel_;
  const Nanoseconds wake_;
  const int wake_fd_;
  ProbeRounds rounds_;
  std::vector<Way> ways_;  // by position in the plan
  std::shared_ptr<const NextHops> hops_ = std::make_shared<const NextHops>();
  Nanoseconds next_tick_;
  std::uint64_t dropped_ = 0;
  std::mutex mutex_;
  bool stopping_ = false;
  std::optional<ProbePlan> next_plan_;
  std::shared_ptr<const NextHops> next_hops_;
  std::thread thread_;
};

Prober::Prober(std::unique_ptr<Thread> thread) : thread_(std::move(thread)) {}
Prober::~Prober() = default;

Result<std::unique_ptr<Prober>> Prober::start(Nanoseconds interval, ProbeSink& sink, OwnChannel& channel) {
  const int wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake < 0) return unavailable(std::string("cannot probe backends: ") + std::strerror(errno));
  return std::unique_ptr<Prober>(new Prober(std::make_unique<Thread>(interval, sink, channel, wake)));
}

void Prober::follow(ProbePlan plan) { thread_->follow(std::move(plan)); }
void Prober::reach(std::shared_ptr<const NextHops> hops) { thread_->reach(std::move(hops)); }
ProbeCounters Prober::counters() const { return thread_->counters(); }

}  // namespace penstock

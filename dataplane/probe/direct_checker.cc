#include "dataplane/probe/direct_checker.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kBusyPause(1);
constexpr std::chrono::milliseconds kIdlePause(10);

siphash_key random_key() {
  std::random_device random;
  siphash_key key{};
  for (auto& word : key.words) word = std::uint64_t{random()} << 32 | random();
  return key;
}

}  // namespace

class DirectChecker::Thread {
 public:
  Thread(OwnChannel& channel, DirectRounds::Listeners listeners)
      : rounds_(random_key(), channel, std::move(listeners)), thread_([this] { run(); }) {}
  ~Thread() {
    {
      const std::lock_guard lock(mutex_);
      ends_ = true;
    }
    woken_.notify_one();
    thread_.join();
  }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  void follow(DirectPlan plan) {
    const std::lock_guard lock(mutex_);
    plan_ = std::move(plan);
  }
  void reach(std::shared_ptr<const NextHops> hops) {
    const std::lock_guard lock(mutex_);
    hops_ = std::move(hops);
  }
  [[nodiscard]] DirectCounters counters() const { return rounds_.counters(); }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (!ends_) {
      auto plan = std::exchange(plan_, std::nullopt);
      auto hops = std::exchange(hops_, nullptr);
      lock.unlock();
      const Nanoseconds now = monotonic_now();
      if (hops) rounds_.reach(std::move(hops));
      if (plan) rounds_.follow(std::move(*plan), now);
      rounds_.run(now);
      lock.lock();
      woken_.wait_for(lock, rounds_.busy() ? kBusyPause : kIdlePause, [this] { return ends_; });
    }
  }

  DirectRounds rounds_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool ends_ = false;
  std::optional<DirectPlan> plan_;
  std::shared_ptr<const NextHops> hops_;
  std::thread thread_;  // last: it uses all of the above
};

DirectChecker::DirectChecker(OwnChannel& channel, DirectRounds::Listeners listeners)
    : thread_(std::make_unique<Thread>(channel, std::move(listeners))) {}
DirectChecker::~DirectChecker() = default;
void DirectChecker::follow(DirectPlan plan) { thread_->follow(std::move(plan)); }
void DirectChecker::reach(std::shared_ptr<const NextHops> hops) { thread_->reach(std::move(hops)); }
DirectCounters DirectChecker::counters() const { return thread_->counters(); }

}  // namespace penstock

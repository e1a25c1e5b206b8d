// A thread that does one thing at an interval, beside the packet path.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace penstock {

class Ticker {
 public:
  /// act: called for the first time after one interval, and again one interval after it has returned.
  Ticker(std::chrono::milliseconds interval, std::function<void()> act)
      : thread_([this, interval, act = std::move(act)] {
          std::unique_lock lock(mutex_);
          while (!wake_.wait_for(lock, interval, [this] { return ended_; })) {
            lock.unlock();
            act();
            lock.lock();
          }
        }) {}
  /// Waits for an act that is under way.
  ~Ticker() {
    {
      const std::scoped_lock lock(mutex_);
      ended_ = true;
    }
    wake_.notify_one();
    thread_.join();
  }
  Ticker(const Ticker&) = delete;
  Ticker& operator=(const Ticker&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;  // last: it uses the others
};

}  // namespace penstock

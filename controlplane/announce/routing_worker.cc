#include "controlplane/announce/routing_worker.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr std::chrono::milliseconds kCompare = 5s;
constexpr std::chrono::milliseconds kFirstRetry = 250ms;

}  // namespace

RoutingWorker::RoutingWorker(std::unique_ptr<RoutingDaemon> daemon) : daemon_(std::move(daemon)) {
  thread_ = std::thread([this] { run(); });
}

RoutingWorker::~RoutingWorker() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void RoutingWorker::set_announced(const Announcements& announced) {
  {
    const std::lock_guard lock(mutex_);
    if (wish_.announced == announced) return;
    wish_.announced = announced;
    changed_ = true;
  }
  wake_.notify_one();
}

void RoutingWorker::set_link(const LinkPolicy& link) {
  {
    const std::lock_guard lock(mutex_);
    if (wish_.link == link) return;
    wish_.link = link;
    changed_ = true;
  }
  wake_.notify_one();
}

std::string RoutingWorker::error() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

void RoutingWorker::run() {
  pthread_setname_np(pthread_self(), "routing");
  auto pause = kCompare;
  auto retry = kFirstRetry;
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_for(lock, pause, [this] { return changed_ || stopping_; });
    if (stopping_ && !changed_) return;
    changed_ = false;
    const RoutingWish wish = wish_;
    lock.unlock();
    const Status status = daemon_->follow(wish);
    lock.lock();
    error_ = status ? std::string() : status.error().text();
    pause = status ? kCompare : retry;
    retry = status ? kFirstRetry : std::min(retry * 2, kCompare);
  }
}

}  // namespace penstock

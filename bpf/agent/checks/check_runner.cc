#include "bpf/agent/checks/check_runner.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <exception>
#include <future>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "bpf/agent/checks/check_task.h"

namespace penstock {
namespace {

constexpr std::chrono::seconds kLongestStop{2};  // a killed script may hang in the kernel

CheckVerdict combine(const std::vector<CheckResult>& checks) {
  const auto count = [&](CheckVerdict verdict) {
    return std::count_if(checks.begin(), checks.end(), [&](const auto& c) { return c.verdict == verdict; });
  };
  if (count(CheckVerdict::kFailing) != 0) return CheckVerdict::kFailing;
  return count(CheckVerdict::kUnchecked) != 0 ? CheckVerdict::kUnchecked : CheckVerdict::kPassing;
}

}  // namespace

class CheckRunner::Loop : public CheckTaskOwner {
 public:
  explicit Loop(CheckRunnerSettings settings)
      : settings_(std::move(settings)),
        io_(std::make_shared<boost::asio::io_context>(1)),
        work_(io_->get_executor()),
        stop_timer_(*io_) {
    thread_ = std::thread([this] { serve(); });
  }

  ~Loop() override {
    boost::asio::post(*io_, [this] { stop(); });
    thread_.join();
  }

  void set(std::vector<ServiceChecks> services) {
    const auto done = std::make_shared<std::promise<void>>();
    boost::asio::post(*io_, [this, done, &services] {
      take_over(std::move(services));
      done->set_value();
    });
    done->get_future().wait();
  }

  std::map<CheckedService, ServiceResult> results() const {
    const std::lock_guard lock(mutex_);
    return published_;
  }

  std::map<CheckedService, CheckVerdict> verdicts() const {
    const std::lock_guard lock(mutex_);
    std::map<CheckedService, CheckVerdict> out;
    for (const auto& [service, result] : published_) out.emplace(service, result.verdict);
    return out;
  }

  void request_place(const std::shared_ptr<CheckTask>& task) override {
    place_of(*task).waiting.push_back(task);
    admit(place_of(*task));
  }

  void leave_place(const CheckTask& task) override {
    --place_of(task).running;
    if (stopping_ && connections_.running + scripts_.running == 0) stop_timer_.cancel();
    admit(place_of(task));
  }

  std::shared_ptr<CheckRun> start_run(const CheckSpec& spec, CheckDone done) override {
    switch (spec.kind) {
      case CheckKind::kHttp:
        return start_http_check(*io_, spec, nullptr, std::move(done));
      case CheckKind::kHttps:
        if (tls_ == nullptr) tls_ = make_check_tls();
        return start_http_check(*io_, spec, tls_, std::move(done));
      case CheckKind::kGrpc:
        return start_grpc_check(io_, spec, std::move(done));
      case CheckKind::kUdp:
        return start_udp_check(*io_, spec, std::move(done));
      case CheckKind::kScript:
        return start_script_check(*io_, spec, settings_.scripts, std::move(done));
      case CheckKind::kTcp:
      case CheckKind::kUnsupported:  // is never run
        break;
    }
    return start_tcp_check(*io_, spec, std::move(done));
  }

  void publish(const CheckTask& task) override {
    bool changed = false;
    {
      const std::lock_guard lock(mutex_);
      const auto service = published_.find(task.of());
      if (service == published_.end()) return;
      for (CheckResult& check : service->second.checks) {
        if (check.name == task.spec().name) check = task.result();
      }
      const CheckVerdict before = std::exchange(service->second.verdict, combine(service->second.checks));
      changed = before != service->second.verdict;
    }
    if (changed && settings_.wake) settings_.wake();
  }

 private:
  using Key = std::pair<CheckedService, std::string>;
  struct Place {
    const std::size_t most;
    std::size_t running = 0;
    std::deque<std::shared_ptr<CheckTask>> waiting = {};
  };

  void serve() {
    for (;;) {
      try {
        io_->run();
        return;
      } catch (const std::exception& e) {  // of a library; the run's time limit judges it
        spdlog::error("a check failed in an unforeseen way: {}", e.what());
      }
    }
  }

  void stop() {
    stopping_ = true;
    for (const auto& [key, task] : tasks_) task->drop();
    tasks_.clear();
    work_.reset();
    if (connections_.running + scripts_.running == 0) return;
    stop_timer_.expires_after(kLongestStop);
    stop_timer_.async_wait([this](boost::system::error_code error) {
      if (!error) io_->stop();
    });
  }

  Place& place_of(const CheckTask& task) {
    return task.spec().kind == CheckKind::kScript ? scripts_ : connections_;
  }

  static void admit(Place& place) {
    while (place.running < place.most && !place.waiting.empty()) {
      const auto task = std::move(place.waiting.front());
      place.waiting.pop_front();
      if (task->dropped()) continue;
      ++place.running;
      task->run();
    }
  }

  void take_over(std::vector<ServiceChecks> services) {
    std::map<Key, std::shared_ptr<CheckTask>> kept;
    std::vector<std::shared_ptr<CheckTask>> fresh;
    std::map<CheckedService, ServiceResult> results;
    for (ServiceChecks& service : services) {
      ServiceResult& result = results[service.of];
      for (CheckSpec& spec : service.checks) {
        const Key key{service.of, spec.name};
        const auto old = tasks_.find(key);
        std::shared_ptr<CheckTask> task;
        if (old != tasks_.end() && old->second->spec() == spec) {
          task = old->second;
        } else {
          task = std::make_shared<CheckTask>(*io_, *this, random_, service.of, std::move(spec));
          fresh.push_back(task);
        }
        result.checks.push_back(task->result());
        kept[key] = std::move(task);
      }
      result.verdict = combine(result.checks);
    }
    for (const auto& [key, task] : tasks_) {
      const auto now = kept.find(key);
      if (now == kept.end() || now->second != task) task->drop();
    }
    tasks_ = std::move(kept);
    {
      const std::lock_guard lock(mutex_);
      published_ = std::move(results);
    }
    for (const auto& task : fresh) task->begin();
  }

  const CheckRunnerSettings settings_;
  const std::shared_ptr<boost::asio::io_context> io_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer stop_timer_;
  std::minstd_rand random_{std::random_device{}()};
  std::shared_ptr<CheckTls> tls_;  // from the first check of HTTPS on
  std::map<Key, std::shared_ptr<CheckTask>> tasks_;
  Place connections_{kMaxRuns};
  Place scripts_{kMaxScriptRuns};
  bool stopping_ = false;

  mutable std::mutex mutex_;
  std::map<CheckedService, ServiceResult> published_;
  std::thread thread_;
};

CheckRunner::CheckRunner(CheckRunnerSettings settings) : loop_(std::make_unique<Loop>(std::move(settings))) {}
CheckRunner::~CheckRunner() = default;

void CheckRunner::set(std::vector<ServiceChecks> services) { loop_->set(std::move(services)); }
std::map<CheckedService, ServiceResult> CheckRunner::results() const { return loop_->results(); }
std::map<CheckedService, CheckVerdict> CheckRunner::verdicts() const { return loop_->verdicts(); }

}  // namespace penstock

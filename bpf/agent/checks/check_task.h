// One check and its rhythm: when it runs next, its time limit, what is known of it. Lives in the runner's
// thread alone.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <memory>
#include <random>
#include <string>

#include "bpf/agent/checks/check_run.h"
#include "bpf/agent/checks/check_runner.h"

namespace penstock {

class CheckTask;

/// What a task needs of its runner.
class CheckTaskOwner {
 public:
  virtual ~CheckTaskOwner() = default;
  /// Calls run() of it, now or when a place is free.
  virtual void request_place(const std::shared_ptr<CheckTask>& task) = 0;
  virtual void leave_place(const CheckTask& task) = 0;
  virtual std::shared_ptr<CheckRun> start_run(const CheckSpec& spec, CheckDone done) = 0;
  virtual void publish(const CheckTask& task) = 0;
};

class CheckTask : public std::enable_shared_from_this<CheckTask> {
 public:
  /// `random` and `owner` outlive the task.
  CheckTask(boost::asio::io_context& io, CheckTaskOwner& owner, std::minstd_rand& random, CheckedService of,
            CheckSpec spec);

  /// The first run follows within the interval, or a second, at a random moment.
  void begin();
  /// Never runs again; what runs is cancelled.
  void drop();
  void run();

  [[nodiscard]] bool dropped() const { return dropped_; }
  [[nodiscard]] const CheckedService& of() const { return of_; }
  [[nodiscard]] const CheckSpec& spec() const { return spec_; }
  [[nodiscard]] const CheckResult& result() const { return result_; }

 private:
  using Clock = std::chrono::steady_clock;

  void arm(Clock::time_point when);
  void due();
  void expire();
  void end(const CheckOutcome& outcome);
  void record(const CheckOutcome& outcome);
  [[nodiscard]] Clock::duration rhythm();

  CheckTaskOwner& owner_;
  std::minstd_rand& random_;
  const CheckedService of_;
  const CheckSpec spec_;
  CheckState state_;
  CheckResult result_;
  boost::asio::steady_timer next_;
  boost::asio::steady_timer limit_;
  std::uint64_t armed_ = 0;   // of next_: what fired too late to be stopped is told by its number
  std::uint64_t number_ = 0;  // of the run
  std::shared_ptr<CheckRun> run_;
  Clock::time_point started_;
  bool judged_ = false;   // of run_: its time was over
  bool overdue_ = false;  // the next run waits for run_ to end
  bool dropped_ = false;
};

}  // namespace penstock

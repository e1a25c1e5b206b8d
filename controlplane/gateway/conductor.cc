#include "controlplane/gateway/conductor.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <utility>

#include "controlplane/gateway/dataplane_fitness.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kStep = 50ms;  // while something is under way
constexpr Nanoseconds kReadInterval =
    Nanoseconds::from_millis(200);  // statistics of 10,000 services are large
constexpr auto kStatsDeadline = 300ms;
constexpr std::uint32_t kDefaultDrainSeconds = 30;

Nanoseconds seconds_or_default(std::uint32_t seconds) {
  return Nanoseconds::from_millis(1000ull * (seconds == 0 ? kDefaultDrainSeconds : seconds));
}

std::uint64_t millis(Nanoseconds t) { return t.count() / 1'000'000; }

proto::GatewayDrain::Phase wire(DrainPolicy::Phase phase) {
  return static_cast<proto::GatewayDrain::Phase>(static_cast<int>(phase));
}
static_assert(static_cast<int>(DrainPolicy::Phase::kQuiet) == proto::GatewayDrain::QUIET, "same order");

proto::GatewayUpgrade::Phase wire(UpgradePolicy::Phase phase) {
  return static_cast<proto::GatewayUpgrade::Phase>(static_cast<int>(phase));
}
static_assert(static_cast<int>(UpgradePolicy::Phase::kFailed) == proto::GatewayUpgrade::FAILED, "same order");

}  // namespace

Conductor::Conductor(Options options, Guard& guard, DataplaneClient& dataplane)
    : options_(std::move(options)), guard_(guard), dataplane_(dataplane), record_(options_.state_dir) {
  if (auto status = record_.load(); !status) {
    spdlog::error("{}", status.error().text());
    record_damaged_ = true;
  }
  upgrade_.resume(record_.newest(), monotonic_now());
  thread_ = std::thread([this] { run(); });
}

Conductor::~Conductor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  dataplane_.cancel();
  thread_.join();
  if (command_) command_->abandon();
}

void Conductor::set_orders(std::set<VipPrefix> vips, proto::GatewayDirective orders, ConfigId running) {
  {
    const std::lock_guard lock(mutex_);
    orders_ = Orders{std::move(vips), std::move(orders), running};
    changed_ = true;
  }
  wake_.notify_one();
}

Conductor::Report Conductor::report() const {
  const std::lock_guard lock(mutex_);
  return report_;
}

void Conductor::run() {
  pthread_setname_np(pthread_self(), "conductor");
  std::optional<Orders> orders;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const auto woken = [this] { return changed_ || stopping_; };
      const bool busy = upgrade_.active() || drain_.phase() != DrainPolicy::Phase::kNone;
      if (orders && (busy || asks_for_new_upgrade(*orders))) {
        wake_.wait_for(lock, kStep, woken);
      } else {
        wake_.wait(lock, woken);
      }
      if (stopping_) return;
      if (std::exchange(changed_, false)) orders = orders_;
    }
    const Nanoseconds now = monotonic_now();
    begin_upgrade_if_new(*orders, now);
    step(*orders, now);
    publish(*orders, now);
  }
}

bool Conductor::asks_for_new_upgrade(const Orders& orders) const {
  const std::uint64_t id = orders.directive.upgrade().id();
  return id != 0 && id != upgrade_.state().id && !record_.knows(id);
}

void Conductor::begin_upgrade_if_new(const Orders& orders, Nanoseconds now) {
  if (upgrade_.active() || !asks_for_new_upgrade(orders)) return;
  const std::uint64_t id = orders.directive.upgrade().id();
  if (std::exchange(record_damaged_, false)) {
    upgrade_.refuse(id, "the record of upgrades was damaged: whether this one was carried out is not known",
                    now);
  } else if (options_.restart_command.empty()) {
    upgrade_.refuse(id, "penstock-gateway has no --restart-command", now);
  } else {
    spdlog::info("upgrade {} begins", id);
    upgrade_.begin(id, now);
    return;
  }
  spdlog::error("upgrade {} refused: {}", id, upgrade_.state().detail);
  if (auto status = record_.put(upgrade_.state()); !status) spdlog::error("{}", status.error().text());
}

void Conductor::read_traffic(Nanoseconds now) {
  if (now < next_read_) return;
  next_read_ = now + kReadInterval;
  auto stats = dataplane_.stats(kStatsDeadline);
  stats_.reset();
  if (!stats) return;
  stats_ = std::move(*stats);
  drain_.packets(vip_packets(*stats_), now);
}

void Conductor::step(const Orders& orders, Nanoseconds now) {
  const bool announced = !guard_.snapshot().announced.empty();
  const bool wanted = !orders.directive.announce() || upgrade_.wants_drain();
  const auto timeout = upgrade_.active() ? orders.directive.upgrade().drain_timeout_seconds()
                                         : orders.directive.drain_timeout_seconds();
  drain_.want(wanted, seconds_or_default(timeout), announced, now);
  if (!wanted && !upgrade_.active()) return;
  read_traffic(now);
  drain_.tick(announced, now);

  UpgradeFacts facts;
  facts.drain = drain_.phase();
  facts.drain_in_phase = drain_.in_phase(now);
  const UpgradePolicy::State before = upgrade_.state();
  if (before.phase == UpgradePolicy::Phase::kRestarting) facts.command = restart(now);
  if (before.phase == UpgradePolicy::Phase::kVerifying) facts.unfit = unfit(orders, now);
  const auto plan = plan_announcements(orders.vips, orders.directive.policy(), drain_.mode());
  facts.announced_as_planned = same_routes(guard_.snapshot().announced, plan);
  upgrade_.tick(facts, now);
  const UpgradePolicy::State& after = upgrade_.state();
  if (after.phase == before.phase) return;
  spdlog::log(after.phase == UpgradePolicy::Phase::kFailed ? spdlog::level::err : spdlog::level::info,
              "upgrade {}: {} {}", after.id, text(after.phase), after.detail);
  if (after.phase == UpgradePolicy::Phase::kRestarting && stats_)
    forwarded_before_ = forwarding_services(*stats_);
  // On disk before the command runs: a restart that takes this process along must not be repeated.
  if (auto status = record_.put(after); !status) spdlog::error("{}", status.error().text());
}

std::optional<UpgradeFacts::CommandEnd> Conductor::restart(Nanoseconds now) {
  if (!command_) {
    auto started = ChildProcess::start(options_.restart_command);
    if (!started) return UpgradeFacts::CommandEnd{false, started.error().text()};
    command_.emplace(std::move(*started));
    command_began_ = now;
    return std::nullopt;
  }
  auto exit = command_->wait(0ms);
  if (!exit && now - command_began_ < options_.restart_timeout) return std::nullopt;
  command_.reset();  // kills what still runs
  if (!exit) {
    return UpgradeFacts::CommandEnd{false, "the restart command did not end within " +
                                               std::to_string(millis(options_.restart_timeout)) + " ms"};
  }
  if (exit->status == 0) return UpgradeFacts::CommandEnd{true, {}};
  return UpgradeFacts::CommandEnd{false, failure_text(options_.restart_command[0], *exit)};
}

std::string Conductor::unfit(const Orders& orders, Nanoseconds now) const {
  const GuardPolicy::State state = guard_.snapshot().state;
  if (state == GuardPolicy::State::kDead || state == GuardPolicy::State::kStarting) return "it does not beat";
  if (!stats_) return "it does not answer";
  const Nanoseconds since = command_began_.count() == 0 ? Nanoseconds{0} : now - command_began_;
  auto missing = missing_for_traffic(*stats_, orders.config, forwarded_before_, since);
  if (missing.empty() && state != GuardPolicy::State::kAlive)
    return "it has not been steady, or fetches flows";
  return missing;
}

void Conductor::publish(const Orders& orders, Nanoseconds now) {
  // Once more: what has just changed decides about the plan.
  const bool announced = !guard_.snapshot().announced.empty();
  const bool wanted = !orders.directive.announce() || upgrade_.wants_drain();
  if (!wanted) drain_.want(false, {}, announced, now);
  guard_.set_wanted(plan_announcements(orders.vips, orders.directive.policy(), drain_.mode()));

  Report report;
  report.drain.set_phase(wire(drain_.phase()));
  report.drain.set_packets_per_second(drain_.packets_per_second());
  report.drain.set_elapsed_ms(millis(drain_.elapsed(now)));
  if (drain_.phase() != DrainPolicy::Phase::kNone && stats_) report.drain.set_flows(flows_left(*stats_));
  report.upgrade.set_id(upgrade_.state().id);
  report.upgrade.set_phase(wire(upgrade_.state().phase));
  report.upgrade.set_detail(upgrade_.state().detail);
  report.upgrade.set_elapsed_ms(millis(upgrade_.elapsed(now)));
  const std::lock_guard lock(mutex_);
  report_ = std::move(report);
}

}  // namespace penstock

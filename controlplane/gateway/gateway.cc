#include "controlplane/gateway/gateway.h"

#include <chrono>
#include <utility>

#include "controlplane/gateway/announcement_plan.h"

namespace penstock {
namespace {

constexpr std::chrono::milliseconds kStatsDeadline{500};
constexpr std::chrono::milliseconds kLoadsDeadline{100};

}  // namespace

Gateway::Gateway(const GatewayOptions& options, std::unique_ptr<VipRoutes> routes,
                 std::unique_ptr<RoutingDaemon> daemon)
    : last_good_(options.state_dir),
      feed_client_(options.dataplane_socket),
      stats_client_(options.dataplane_socket),
      conductor_client_(options.dataplane_socket),
      fleet_client_(options.dataplane_socket),
      weights_client_(options.dataplane_socket),
      routing_(std::move(daemon)),
      guard_(options.timing, std::move(routes),
             [this](const Announcements& announced) { routing_.set_announced(announced); }),
      conductor_({.state_dir = options.state_dir, .restart_command = options.restart_command}, guard_,
                 conductor_client_),
      fleet_(fleet_client_),
      weights_(weights_client_),
      session_(options.session, {.on_directive = [this](auto directive) { take(std::move(directive)); },
                                 .status = [this] { return status(); },
                                 .running = [this] { return feed_.running(); },
                                 .peers = [this] { return feed_.peers(); },
                                 .loads = [this] { return loads(); }}),
      feed_(feed_client_, last_good_,
            {.report = [this](const auto& applied) { session_.report(applied); },
             .settled =
                 [this](auto vips, const auto& orders, ConfigId running) {
                   routing_.set_link(link_policy(orders.policy()));
                   conductor_.set_orders(std::move(vips), orders, running);
                 }}),
      beats_(options.dataplane_socket,
             static_cast<std::uint32_t>(options.timing.heartbeat_interval.count() / 1'000'000),
             {.on_beat =
                  [this](Nanoseconds when, const proto::Beat& beat) {
                    const bool fetching = beat.sync() == proto::SYNC_FETCHING;
                    guard_.on_beat(when, {.configured = !id_of(beat).none(), .fetching = fetching});
                    feed_.observe(id_of(beat));
                    weights_.observe(id_of(beat));
                  },
              .on_stream =
                  [this] {
                    feed_.reconnected();
                    weights_.reconnected();
                  },
              .on_gone = [this] { guard_.on_gone(); }}) {
  session_.start();
}

Gateway::~Gateway() {
  stats_client_.cancel();
  session_.stop();
}

// What the fleet knows, and weights, are no orders: they are neither kept on disk nor a reason to settle
// anything again.
void Gateway::take(proto::GatewayDirective directive) {
  if (directive.has_fleet()) fleet_.submit(std::move(*directive.mutable_fleet()));
  if (directive.has_weights()) weights_.submit(std::move(*directive.mutable_weights()));
  directive.clear_fleet();
  directive.clear_weights();
  feed_.submit(std::move(directive));
}

proto::GatewayStatus Gateway::status() {
  proto::GatewayStatus out;
  const Guard::Snapshot guard = guard_.snapshot();
  const ConfigId running = feed_.running();
  out.set_dataplane_alive(guard.beating);
  out.set_epoch(running.epoch);
  out.set_generation(running.generation);
  for (const auto& [vip, how] : guard.announced) {
    out.add_announced_vips(vip.text());
    proto::AnnouncedVip& announced = *out.add_announcements();
    announced.set_vip(vip.text());
    announced.set_med(how.med);
    announced.set_drained(how.drained);
  }
  const Conductor::Report report = conductor_.report();
  *out.mutable_drain() = report.drain;
  *out.mutable_upgrade() = report.upgrade;
  out.set_routing_error(routing_.error());
  if (!guard.beating) return out;
  if (auto stats = stats_client_.stats(kStatsDeadline)) *out.mutable_stats() = std::move(*stats);
  return out;
}

std::optional<proto::BackendLoads> Gateway::loads() {
  const std::vector<std::string> services = weights_.services();
  if (services.empty()) return std::nullopt;
  auto stats = stats_client_.stats(kLoadsDeadline, services);
  if (!stats) return std::nullopt;
  proto::BackendLoads out;
  out.set_epoch(stats->epoch());
  out.set_generation(stats->generation());
  out.set_uptime_ns(stats->uptime_ns());
  out.set_weights_version(stats->weights_version());
  out.mutable_services()->Swap(stats->mutable_services());
  return out;
}

}  // namespace penstock

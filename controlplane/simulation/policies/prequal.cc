#include "controlplane/simulation/policies/prequal.h"

#include <algorithm>
#include <cmath>

namespace penstock::simulation {

std::size_t Prequal::best(std::span<const Reply> pool, double hot) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < pool.size(); ++i) {
    const Reply &a = pool[i], &b = pool[best];
    const bool a_hot = a.in_flight > hot, b_hot = b.in_flight > hot;
    const bool better = a_hot != b_hot ? b_hot
                        : a_hot        ? a.in_flight < b.in_flight
                                       : a.latency_seconds < b.latency_seconds;
    if (better) best = i;
  }
  return best;
}

void Prequal::start(const View& view) {
  random_ = Random(view.scenario().seed, mix(3));
  heard_.assign(view.scenario().nodes.size(), {});
  sent_.assign(view.scenario().gateways.size(), std::vector<Sent>(heard_.size()));
  pools_.assign(view.scenario().gateways.size(), std::vector<Pool>(view.scenario().services.size()));
}

void Prequal::on_probe(const ProbeReply& reply, double now) {
  Heard& heard = heard_[reply.node];
  if (!std::isnan(reply.latency_seconds)) {
    const double fresh = reply.latency_seconds / (reply.active_flows + 1);
    heard.latency_per_flow += (heard.latency_per_flow > 0 ? 0.1 : 1) * (fresh - heard.latency_per_flow);
  }
  heard.time = reply.time;
  heard.in_flight = reply.active_flows;
}

Prequal::Sent& Prequal::sent(std::uint32_t gateway, NodeIndex node) {
  Sent& sent = sent_[gateway][node];
  if (sent.since < heard_[node].time) sent = {heard_[node].time, 0};
  return sent;
}

void Prequal::sample(Pool& pool, const NewFlow& flow, const View& view) {
  for (std::uint32_t i = 0; i < settings_.probes_per_flow; ++i) {
    const PlacementIndex placement = view.first(flow.service) + random_.below(view.count(flow.service));
    const NodeIndex node = view.placements()[placement].node;
    const Heard& heard = heard_[node];
    if (!view.usable(placement) || heard.time < 0) continue;
    const double in_flight = heard.in_flight + sent(flow.gateway, node).flows;
    pool.in_flight[pool.seen++ % kRemembered] = in_flight;
    std::erase_if(pool.replies, [&](const Reply& reply) { return reply.placement == placement; });
    if (pool.replies.size() >= settings_.pool) pool.replies.erase(pool.replies.begin());  // the oldest
    pool.replies.push_back({placement, in_flight, heard.latency_per_flow * (in_flight + 1), heard.time, 0});
  }
  // The quantile moves slowly: it is taken anew now and then.
  if (pool.seen % 32 >= settings_.probes_per_flow) return;
  std::array<double, kRemembered> sorted = pool.in_flight;
  const std::size_t n = std::min(pool.seen, kRemembered);
  if (n == 0) return;
  std::sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(n));
  pool.hot = sorted[static_cast<std::size_t>(settings_.hot_quantile * static_cast<double>(n - 1))];
}

PlacementIndex Prequal::choose(const NewFlow& flow, const View& view) {
  if (view.count(flow.service) == 0) return load::kNone;
  Pool& pool = pools_[flow.gateway][flow.service];
  sample(pool, flow, view);
  std::erase_if(pool.replies, [&](const Reply& r) {
    return r.used >= settings_.uses || flow.time - r.time > settings_.most_age || !view.usable(r.placement);
  });
  if (pool.replies.empty()) return Policy::choose(flow, view);
  Reply& chosen = pool.replies[best(pool.replies, pool.hot)];
  chosen.latency_seconds *= (chosen.in_flight + 2) / (chosen.in_flight + 1);
  chosen.in_flight += 1;
  ++chosen.used;
  sent(flow.gateway, view.placements()[chosen.placement].node).flows += 1;
  return chosen.placement;
}

}  // namespace penstock::simulation

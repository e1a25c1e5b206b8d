#include "dataplane/netlink/next_hop_monitor.h"

#include <linux/neighbour.h>
#include <net/if.h>
#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>
#include <utility>

#include "dataplane/netlink/kernel_tables.h"
#include "dataplane/netlink/netlink_socket.h"
#include "dataplane/netlink/route_query.h"

namespace penstock {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// One change of topology is a train of messages; two milliseconds see most of it and cost no one a packet
// more.
constexpr milliseconds kDebounce{2};
// The kernel turns a neighbour stale after 15-45 s and probes for 3 s; asking every second catches each
// state.
constexpr milliseconds kKeepAliveInterval{1000};
constexpr milliseconds kReopenInterval{1000};
// A routing table in turmoil may take at most a sixth of a core.
constexpr int kQuietPerRefresh = 5;

Result<NetlinkSocket> open_events() {
  return NetlinkSocket::open({RTNLGRP_LINK, RTNLGRP_NEIGH, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                              RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_RULE});
}

}  // namespace

class NextHopMonitor::Impl {
 public:
  Impl(NextHopSettings settings, NetlinkSocket events, NetlinkSocket queries)
      : settings_(std::move(settings)),
        events_(std::make_unique<NetlinkSocket>(std::move(events))),
        queries_(std::make_unique<NetlinkSocket>(std::move(queries))),
        wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  ~Impl() {
    stop();
    close(wake_);
  }

  Status open() {
    if (auto loaded = load(); !loaded) return loaded;
    for (const auto& port : settings_.interfaces) {
      if (!tables_.index_of(port.interface)) {
        return unavailable("there is no network interface '" + port.interface + "'");
      }
    }
    return Ok{};
  }

  void follow(std::function<void()> on_change) {
    on_change_ = std::move(on_change);
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    if (!thread_.joinable()) return;
    stopping_ = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = write(wake_, &one, sizeof one);
    thread_.join();
  }

  NextHops resolve(std::span<const IpAddr> backends) {
    const std::scoped_lock lock(mutex_);
    watched_.assign(backends.begin(), backends.end());
    answered_ = look_up();
    ask_for_neighbours();
    return answered_;
  }

  std::optional<MacAddr> interface_mac(std::uint16_t port) const {
    const std::scoped_lock lock(mutex_);
    for (const auto& bound : settings_.interfaces) {
      if (bound.port != port) continue;
      const auto index = tables_.index_of(bound.interface);
      if (index) return tables_.link(*index)->mac;
    }
    return std::nullopt;
  }

 private:
  // All functions below run with mutex_ held, but for run() and its helpers which take it.

  Status load() {
    tables_.clear();
    const auto take = [this](const nlmsghdr& message) { tables_.apply(message); };
    for (const auto& [type, family] :
         {std::pair<int, int>{RTM_GETLINK, AF_UNSPEC}, {RTM_GETNEIGH, AF_INET}, {RTM_GETNEIGH, AF_INET6}}) {
      auto dumped = queries_->dump(static_cast<std::uint16_t>(type), static_cast<std::uint8_t>(family), take);
      if (!dumped) return dumped;
    }
    return Ok{};
  }

  NextHops look_up() {
    NextHops found;
    pending_.clear();
    if (settings_.interfaces.empty()) {
      for (const IpAddr& backend : watched_) add_static(found, backend);
      return found;
    }
    auto routes = query_routes(*queries_, watched_);
    if (!routes) {
      spdlog::error("{}; the known next hops stay", routes.error().text());
      reopen_queries();
      return answered_;
    }
    for (std::size_t i = 0; i < watched_.size(); ++i) {
      const RouteAnswer& route = (*routes)[i];
      if (const auto* port = route.reachable ? port_on(route.link) : nullptr) {
        add_neighbour(found, watched_[i], route, *port);
      } else {
        add_static(found, watched_[i]);
      }
    }
    return found;
  }

  const PortInterface* port_on(int link) const {
    const Link* known = tables_.link(link);
    if (known == nullptr || !known->up) return nullptr;
    const auto at = std::find_if(settings_.interfaces.begin(), settings_.interfaces.end(),
                                 [&](const PortInterface& p) { return p.interface == known->name; });
    return at == settings_.interfaces.end() ? nullptr : &*at;
  }

  void add_neighbour(NextHops& found, const IpAddr& backend, const RouteAnswer& route,
                     const PortInterface& port) {
    const Neighbour* neighbour = tables_.neighbour(route.link, route.neighbour);
    if (neighbour == nullptr || !neighbour->confirmed) pending_.emplace(route.link, route.neighbour);
    const auto source = source_for(backend, route);
    if (neighbour == nullptr || !neighbour->usable || !source) {
      spdlog::debug("next hop of {}: neighbour {} on {} is not known yet", backend.text(),
                    route.neighbour.text(), port.interface);
      return;
    }
    const Link& link = *tables_.link(route.link);
    const std::uint32_t mtu = route.mtu != 0 ? std::min(route.mtu, link.mtu) : link.mtu;
    found[backend] = NextHop{link.mac,
                             neighbour->mac,
                             *source,
                             port.port,
                             static_cast<std::uint16_t>(std::min(mtu, 65'535U)),
                             route.neighbour != backend};
  }

  std::optional<IpAddr> source_for(const IpAddr& backend, const RouteAnswer& route) const {
    if (backend.is_v4() && settings_.source_v4) return IpAddr(*settings_.source_v4);
    if (backend.is_v6() && settings_.source_v6) return IpAddr(*settings_.source_v6);
    return route.source;
  }

  void add_static(NextHops& found, const IpAddr& backend) const {
    for (const StaticNextHop& hop : settings_.statics) {
      std::optional<IpAddr> source;
      if (backend.is_v4() && hop.source_v4) source = IpAddr(*hop.source_v4);
      if (backend.is_v6() && hop.source_v6) source = IpAddr(*hop.source_v6);
      if (!source) continue;
      found[backend] = NextHop{hop.source, hop.destination, *source, hop.port, hop.mtu};
      return;
    }
    spdlog::debug("next hop of {}: no route through any port", backend.text());
  }

  // NTF_USE makes the kernel behave as if it had a packet for the neighbour: it resolves, or probes what is
  // stale.
  void ask_for_neighbours() {
    for (const auto& [link, address] : pending_) {
      ndmsg header{};
      header.ndm_family = address.is_v4() ? AF_INET : AF_INET6;
      header.ndm_ifindex = link;
      header.ndm_flags = NTF_USE;
      NetlinkRequest request(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK, header);
      request.attribute(NDA_DST, address.data(), address.size());
      auto sent = queries_->send(request.bytes());
      if (sent) sent = queries_->collect(1, [](const nlmsghdr&) {});
      if (!sent) {
        spdlog::warn("asking for neighbour {}: {}", address.text(), sent.error().text());
        reopen_queries();
      }
    }
  }

  // An answer that comes late must not be taken for that of the next question.
  void reopen_queries() {
    auto opened = NetlinkSocket::open({});
    if (opened) queries_ = std::make_unique<NetlinkSocket>(std::move(opened).value());
  }

  void run() {
    auto keep_alive_at = Clock::now() + kKeepAliveInterval;
    auto refresh_not_before = Clock::now();
    auto refresh_at = Clock::time_point::max();  // nothing is due
    while (!stopping_) {
      const bool news = events_failed_ ? listen_anew() : wait_for_news(std::min(refresh_at, keep_alive_at));
      const auto now = Clock::now();
      if (news) refresh_at = std::min(refresh_at, std::max(now + kDebounce, refresh_not_before));
      if (now >= refresh_at) {
        refresh_at = Clock::time_point::max();
        refresh();
        refresh_not_before = Clock::now() + kQuietPerRefresh * (Clock::now() - now);
      }
      if (now >= keep_alive_at) {
        keep_alive_at = now + kKeepAliveInterval;
        const std::scoped_lock lock(mutex_);
        ask_for_neighbours();
      }
    }
  }

  // True when something arrived that may change an answer.
  bool wait_for_news(Clock::time_point until) {
    // Rounded up: a wait cut short would spin through the rest of the last millisecond.
    const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
    pollfd fds[2] = {{events_->fd(), POLLIN, 0}, {wake_, POLLIN, 0}};
    if (poll(fds, 2, static_cast<int>(std::max<std::int64_t>(left, 0))) <= 0 || fds[0].revents == 0)
      return false;
    const std::scoped_lock lock(mutex_);
    bool news = false;
    auto drained = events_->drain([&](const nlmsghdr& message) { news |= tables_.apply(message); });
    if (drained && *drained) return news;
    if (!drained) {
      spdlog::error("{}; listening anew", drained.error().text());
      events_failed_ = true;
      return false;
    }
    if (auto loaded = load(); !loaded) spdlog::error("{}", loaded.error().text());
    return true;
  }

  // What was said while nobody listened is lost, so the tables are read again, after the new socket listens.
  bool listen_anew() {
    pollfd stop{wake_, POLLIN, 0};
    if (poll(&stop, 1, static_cast<int>(kReopenInterval.count())) != 0) return false;
    const std::scoped_lock lock(mutex_);
    auto opened = open_events();
    if (!opened) return false;
    events_ = std::make_unique<NetlinkSocket>(std::move(opened).value());
    events_failed_ = !load().ok();
    return !events_failed_;
  }

  void refresh() {
    bool changed = false;
    {
      const std::scoped_lock lock(mutex_);
      NextHops now = look_up();
      ask_for_neighbours();
      changed = now != answered_;
      answered_ = std::move(now);
    }
    if (changed) on_change_();
  }

  const NextHopSettings settings_;
  std::function<void()> on_change_;
  mutable std::mutex mutex_;
  std::unique_ptr<NetlinkSocket> events_;  // the thread's, but opened and replaced under the mutex
  std::unique_ptr<NetlinkSocket> queries_;
  KernelTables tables_;
  std::vector<IpAddr> watched_;
  NextHops answered_;
  std::set<std::pair<int, IpAddr>> pending_;  // neighbours to ask for: (link, address)
  const int wake_;
  bool events_failed_ = false;  // the thread's
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

NextHopMonitor::NextHopMonitor(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NextHopMonitor::~NextHopMonitor() = default;

Result<std::unique_ptr<NextHopMonitor>> NextHopMonitor::open(NextHopSettings settings) {
  auto events = open_events();
  if (!events) return events.error();
  auto queries = NetlinkSocket::open({});
  if (!queries) return queries.error();
  auto impl =
      std::make_unique<Impl>(std::move(settings), std::move(events).value(), std::move(queries).value());
  if (auto opened = impl->open(); !opened) return opened.error();
  return std::unique_ptr<NextHopMonitor>(new NextHopMonitor(std::move(impl)));
}

void NextHopMonitor::follow(std::function<void()> on_change) { impl_->follow(std::move(on_change)); }
void NextHopMonitor::stop() { impl_->stop(); }

NextHops NextHopMonitor::resolve(std::span<const IpAddr> backends) { return impl_->resolve(backends); }

std::optional<MacAddr> NextHopMonitor::interface_mac(std::uint16_t port) const {
  return impl_->interface_mac(port);
}

}  // namespace penstock

// A service and its hosts in simulated time, as the judge hears of them: each host is asked every 50 ms, all
// evenly spread, and a question that nobody answers is lost 25 ms later.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "dataplane/probe/health_judge.h"

namespace penstock {

/// PENSTOCK_PROBE_TIME of microseconds, rounded down.
inline std::uint16_t probe_time(std::uint64_t us) {
  std::uint16_t exponent = 0;
  for (; us > 0x7ff; us >>= 1) ++exponent;
  return static_cast<std::uint16_t>(exponent << 11 | us);
}

inline probe_service_load idle_load() {
  probe_service_load load{};
  load.age_ms = 20;
  load.check = PENSTOCK_PROBE_UNCHECKED;
  load.cpu = load.throttled = load.application_utilization = PENSTOCK_PROBE_NO_VALUE;
  load.handshake_p50 = load.handshake_p99 = load.response_p50 = load.response_p99 = PENSTOCK_PROBE_NO_VALUE;
  load.accept_limit = 128;
  return load;
}

class HealthSite {
 public:
  static constexpr unsigned kIntervalMs = 50;
  static constexpr BackendIndex kFirstBackend = 10;
  static constexpr ServiceIndex kService = 3;

  struct Host {
    bool answers = true;
    Listener listener = Listener::kPresent;
    std::optional<probe_service_load> load = idle_load();
    std::optional<probe_host_load> host{};
    // What happens in each interval.
    std::uint32_t connections = 0;
    std::uint32_t responses = 0;
    std::uint32_t resets = 0;
    std::uint16_t refused = 0;
    std::uint64_t lost_at_ms = 0;  // 0: nothing is on its way
  };

  explicit HealthSite(std::size_t hosts, HealthDocument policy = {}) : hosts_(hosts) {
    JudgedService service;
    service.index = kService;
    service.health = std::move(policy);
    for (std::size_t i = 0; i < hosts; ++i) {
      const BackendIndex index = kFirstBackend + static_cast<BackendIndex>(i);
      service.backends.push_back({index, false, true});
      const IpAddr address(
          Ipv4Addr{{10, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}});
      plan_.addresses.push_back(
          {address, {{index, VipKey{IpAddr(Ipv4Addr{{203, 0, 113, 1}}), 6, 80, 0, 0}}}});
    }
    plan_.services = {service};
    follow();
  }

  void follow() { judge_.follow(plan_, now()); }
  /// Milliseconds pass. each: called after every one.
  void run(std::uint64_t ms, const std::function<void()>& each = {}) {
    for (const std::uint64_t end = ms_ + ms; ms_ < end;) {
      ++ms_;
      for (std::size_t i = 0; i < hosts_.size(); ++i) ask(i);
      if (ms_ % 10 == 0) judge_.tick(now());
      if (each) each();
    }
  }
  /// Milliseconds until it holds; fails the test by returning UINT64_MAX after `most`.
  std::uint64_t until(const std::function<bool()>& holds, std::uint64_t most = 100'000) {
    for (std::uint64_t took = 0; took <= most; ++took) {
      if (holds()) return took;
      run(1);
    }
    return UINT64_MAX;
  }

  [[nodiscard]] Nanoseconds now() const { return Nanoseconds::from_millis(ms_); }
  [[nodiscard]] std::uint64_t ms() const { return ms_; }
  [[nodiscard]] static BackendIndex index(std::size_t host) {
    return kFirstBackend + static_cast<BackendIndex>(host);
  }
  [[nodiscard]] BackendState state(std::size_t host) const { return states_.backend(index(host)); }
  [[nodiscard]] bool down(std::size_t host) const { return state(host).down(); }
  [[nodiscard]] bool late(std::size_t host) const { return state(host).late(); }
  [[nodiscard]] bool busy(std::size_t host) const { return state(host).busy(); }
  /// Of 256 new flows.
  [[nodiscard]] unsigned admitted(std::size_t host) const {
    return down(host) ? 0 : 256 - (state(host).bits() & BackendState::kWithheldMask);
  }
  [[nodiscard]] std::size_t how_many_down() const {
    std::size_t n = 0;
    for (std::size_t i = 0; i < hosts_.size(); ++i) n += down(i);
    return n;
  }
  [[nodiscard]] ServiceState service() const { return states_.service(kService); }
  [[nodiscard]] BackendReport report(std::size_t host) const {
    std::vector<BackendReport> out;
    const BackendIndex one = index(host);
    judge_.report({&one, 1}, now(), out);
    return out[0];
  }

  Host& host(std::size_t i) { return hosts_[i]; }
  std::vector<Host>& hosts() { return hosts_; }
  HealthJudge& judge() { return judge_; }
  BackendStates& states() { return states_; }
  ProbePlan& plan() { return plan_; }

 private:
  void ask(std::size_t i) {
    Host& h = hosts_[i];
    if (h.lost_at_ms == ms_) {
      h.lost_at_ms = 0;
      judge_.lost(i, now());
    }
    if (ms_ % kIntervalMs != i * kIntervalMs / hosts_.size()) return;
    if (!h.answers) {
      h.lost_at_ms = ms_ + kIntervalMs / 2;
      return;
    }
    if (h.load) {
      h.load->new_connections += h.connections;
      h.load->responses += h.responses;
      h.load->resets += h.resets;
      h.load->syn_drops = static_cast<std::uint16_t>(h.load->syn_drops + h.refused);
    }
    const ServiceReport report{h.listener, h.load};
    judge_.answered(i, 0, {&report, 1}, h.host, Nanoseconds::from_micros(200), now());
  }

  std::uint64_t ms_ = 1000;
  std::vector<Host> hosts_;
  ProbePlan plan_;
  BackendStates states_{1000, 16};
  HealthJudge judge_{states_};
};

}  // namespace penstock

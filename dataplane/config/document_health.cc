#include <algorithm>

#include "dataplane/config/document_checks.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

namespace {

constexpr std::uint32_t kAnyPercent = 100;

class HealthCheck {
 public:
  HealthCheck(const proto::Service& service, ServiceDocument& out, const std::string& path,
              Problems& problems)
      : in_(service.health()),
        out_(out.health),
        key_(out.key),
        path_(path + ".health"),
        problems_(problems) {}

  void run() {
    check_checks();
    check_direct();
    out_.rise = in_.rise() != 0 ? up_to("rise", in_.rise(), kMaxCheckRepeat) : kDefaultRise;
    out_.fall = in_.fall() != 0 ? up_to("fall", in_.fall(), kMaxCheckRepeat) : kDefaultFall;
    check_hold();
    check_all_down();
    check_hot();
    check_breaker();
    check_slow_start();
  }

 private:
  void refuse(const std::string& field, std::string message) {
    problems_.push_back(invalid(path_ + "." + field, std::move(message)));
  }

  std::uint32_t in_range(const std::string& field, std::uint32_t value, std::uint32_t least,
                         std::uint32_t most) {
    if (value < least || value > most)
      refuse(field, "must be " + std::to_string(least) + "-" + std::to_string(most) + ", not " +
                        std::to_string(value));
    return value;
  }
  std::uint32_t up_to(const std::string& field, std::uint32_t value, std::uint32_t most) {
    return in_range(field, value, 1, most);
  }
  // 0 in a message stands for the default.
  std::uint32_t or_default(const std::string& field, std::uint32_t value, std::uint32_t least,
                           std::uint32_t most, std::uint32_t otherwise) {
    return value == 0 ? otherwise : in_range(field, value, least, most);
  }

  void check_text(const std::string& field, const std::string& text, std::size_t most) {
    if (text.size() > most)
      refuse(field, "at most " + std::to_string(most) + " bytes, not " + std::to_string(text.size()));
  }

  void check_checks() {
    if (static_cast<std::size_t>(in_.checks_size()) > kMaxChecks)
      refuse("checks",
             "at most " + std::to_string(kMaxChecks) + ", not " + std::to_string(in_.checks_size()));
    for (int i = 0; i < in_.checks_size(); ++i) {
      const proto::Check& check = in_.checks(i);
      const std::string field = indexed("checks", static_cast<std::size_t>(i));
      DirectCheckDocument document = check_one(check, field);
      if (out_.direct_check || !can_be_direct(check, document)) continue;
      out_.direct_check = std::move(document);
    }
  }

  DirectCheckDocument check_one(const proto::Check& in, const std::string& field) {
    if (!proto::Check::Kind_IsValid(in.kind()) || in.kind() == proto::Check::KIND_UNSPECIFIED)
      refuse(field + ".kind", std::to_string(in.kind()) + " is no kind of check");
    if (in.port() > 65535) refuse(field + ".port", "must be 1-65535, not " + std::to_string(in.port()));
    DirectCheckDocument out;
    out.interval_ms = or_default(field + ".interval_ms", in.interval_ms(), kMinCheckIntervalMs,
                                 kMaxCheckIntervalMs, kDefaultCheckIntervalMs);
    // The default timeout of a check that is made more often is its interval.
    out.timeout_ms = or_default(field + ".timeout_ms", in.timeout_ms(), kMinCheckTimeoutMs,
                                kMaxCheckTimeoutMs, std::min(kDefaultCheckTimeoutMs, out.interval_ms));
    if (out.timeout_ms > out.interval_ms)
      refuse(field + ".timeout_ms", "must not exceed interval_ms (" + std::to_string(out.interval_ms) + ")");
    out.rise = or_default(field + ".rise", in.rise(), 1, kMaxCheckRepeat, kDefaultRise);
    out.fall = or_default(field + ".fall", in.fall(), 1, kMaxCheckRepeat, kDefaultFall);
    out.port = static_cast<std::uint16_t>(in.port());
    check_texts(in, field);
    for (int i = 0; i < in.statuses_size(); ++i) {
      const auto& range = in.statuses(i);
      if (range.first() < 100 || range.last() > 599 || range.first() > range.last())
        refuse(field + "." + indexed("statuses", static_cast<std::size_t>(i)),
               "must be a range within 100-599");
    }
    return out;
  }

  void check_texts(const proto::Check& in, const std::string& field) {
    check_text(field + ".path", in.path(), kMaxCheckText);
    check_text(field + ".host", in.host(), kMaxCheckText);
    check_text(field + ".body_contains", in.body_contains(), kMaxCheckText);
    check_text(field + ".grpc_service", in.grpc_service(), kMaxCheckText);
    check_text(field + ".send", in.send(), kMaxCheckBytes);
    check_text(field + ".expect", in.expect(), kMaxCheckBytes);
    for (int i = 0; i < in.headers_size(); ++i) {
      const std::string header = field + "." + indexed("headers", static_cast<std::size_t>(i));
      check_text(header + ".name", in.headers(i).name(), kMaxCheckText);
      check_text(header + ".value", in.headers(i).value(), kMaxCheckText);
    }
  }

  // Completes the document of a check that the gateway can make itself; false for others.
  static bool can_be_direct(const proto::Check& in, DirectCheckDocument& out) {
    switch (in.kind()) {
      case proto::Check::TCP_CONNECT:
        out.kind = DirectCheckKind::kTcpConnect;
        return true;
      case proto::Check::HTTP:
        out.kind = DirectCheckKind::kHttp;
        out.path = in.path().empty() ? "/" : in.path();
        out.host = in.host();
        out.method = in.method().empty() ? "GET" : in.method();
        out.body_contains = in.body_contains();
        for (const auto& header : in.headers()) out.headers.emplace_back(header.name(), header.value());
        for (const auto& range : in.statuses())
          out.statuses.emplace_back(static_cast<std::uint16_t>(range.first()),
                                    static_cast<std::uint16_t>(range.last()));
        if (out.statuses.empty()) out.statuses.emplace_back(200, 299);
        return true;
      case proto::Check::UDP_EXCHANGE:
        out.kind = DirectCheckKind::kUdpExchange;
        out.send = in.send();
        out.expect = in.expect();
        return true;
      default:
        return false;
    }
  }

  void check_direct() {
    switch (in_.direct()) {
      case proto::DIRECT_AUTO:
        out_.direct = DirectChecks::kAuto;
        break;
      case proto::DIRECT_OFF:
        out_.direct = DirectChecks::kOff;
        out_.direct_check.reset();
        return;
      case proto::DIRECT_ALWAYS:
        out_.direct = DirectChecks::kAlways;
        break;
      default:
        refuse("direct", "must be DIRECT_AUTO (0), DIRECT_OFF (1) or DIRECT_ALWAYS (2), not " +
                             std::to_string(in_.direct()));
    }
    if (!out_.direct_check && key_.protocol == kProtoTcp && key_.port != 0)
      out_.direct_check = DirectCheckDocument{};
    if (!out_.direct_check && out_.direct == DirectChecks::kAlways)
      refuse("direct", "DIRECT_ALWAYS needs a check that gateways can do: TCP_CONNECT, HTTP or UDP_EXCHANGE");
  }

  void check_hold() {
    out_.hold_ms = or_default("hold_ms", in_.hold_ms(), 1, kMaxHoldMs, kDefaultHoldMs);
    out_.max_hold_ms = or_default("max_hold_ms", in_.max_hold_ms(), 1, kMaxHoldMs,
                                  std::max(kDefaultMaxHoldMs, out_.hold_ms));
    if (out_.max_hold_ms < out_.hold_ms)
      refuse("max_hold_ms", "must not be below hold_ms (" + std::to_string(out_.hold_ms) + ")");
  }

  void check_all_down() {
    if (in_.panic_percent() > kAnyPercent) in_range("panic_percent", in_.panic_percent(), 0, kAnyPercent);
    out_.panic_percent = in_.panic_percent();
    switch (in_.all_down()) {
      case proto::ALL_DOWN_USE_ALL:
        out_.all_down = AllDown::kUseAll;
        return;
      case proto::ALL_DOWN_RESET:
        out_.all_down = AllDown::kReset;
        return;
      case proto::ALL_DOWN_DROP:
        out_.all_down = AllDown::kDrop;
        return;
      default:
        refuse("all_down", "must be ALL_DOWN_USE_ALL (0), ALL_DOWN_RESET (1) or ALL_DOWN_DROP (2), not " +
                               std::to_string(in_.all_down()));
    }
  }

  void check_hot() {
    const proto::HotRule& hot = in_.hot();
    out_.hot.off = hot.off();
    out_.hot.response_ms = in_range("hot.response_ms", hot.response_ms(), 0, kMaxHotResponseMs);
    out_.hot.queue_percent =
        or_default("hot.queue_percent", hot.queue_percent(), 1, kAnyPercent, kDefaultHotQueuePercent);
    out_.hot.utilization_percent = or_default("hot.utilization_percent", hot.utilization_percent(), 1,
                                              kMaxHotUtilizationPercent, kDefaultHotUtilizationPercent);
  }

  void check_breaker() {
    const proto::Breaker& in = in_.breaker();
    BreakerDocument& out = out_.breaker;
    out.off = in.off();
    out.failure_percent = in_range("breaker.failure_percent", in.failure_percent(), 0, kAnyPercent);
    out.latency_factor = or_default("breaker.latency_factor", in.latency_factor(), 2,
                                    kMaxBreakerLatencyFactor, kDefaultBreakerLatencyFactor);
    out.probe_loss_percent = or_default("breaker.probe_loss_percent", in.probe_loss_percent(), 1, kAnyPercent,
                                        kDefaultBreakerProbeLossPercent);
    out.open_ms = or_default("breaker.open_ms", in.open_ms(), 100, kMaxHoldMs, kDefaultBreakerOpenMs);
    out.half_open_percent = or_default("breaker.half_open_percent", in.half_open_percent(), 1, kAnyPercent,
                                       kDefaultBreakerHalfOpenPercent);
    out.max_open_percent = or_default("breaker.max_open_percent", in.max_open_percent(), 1, kAnyPercent,
                                      kDefaultBreakerMaxOpenPercent);
  }

  void check_slow_start() {
    const proto::SlowStart& in = in_.slow_start();
    SlowStartDocument& out = out_.slow_start;
    if (in.has_duration_ms())
      out.duration_ms = in_range("slow_start.duration_ms", in.duration_ms(), 0, kMaxSlowStartMs);
    out.initial_percent = or_default("slow_start.initial_percent", in.initial_percent(), 1, kAnyPercent,
                                     kDefaultSlowStartInitialPercent);
    if (in.exponent() == 0) return;
    // Written so that NaN is refused, too.
    if (!(in.exponent() >= kMinSlowStartExponent && in.exponent() <= kMaxSlowStartExponent)) {
      refuse("slow_start.exponent", "must be 0.1-10, not " + std::to_string(in.exponent()));
    } else {
      out.exponent = in.exponent();
    }
  }

  const proto::Health& in_;
  HealthDocument& out_;
  const VipKey& key_;
  const std::string path_;
  Problems& problems_;
};

}  // namespace

void check_health(const proto::Service& in, ServiceDocument& out, const std::string& path,
                  Problems& problems) {
  HealthCheck(in, out, path, problems).run();
}

}  // namespace penstock

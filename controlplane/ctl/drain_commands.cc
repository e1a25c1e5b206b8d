// drain, undrain, maintenance and upgrade: what they ask for, and how --wait sees that it is done.
#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/documents.h"
#include "controlplane/ctl/durations.h"
#include "controlplane/ctl/lenient.h"
#include "controlplane/ctl/progress.h"

namespace penstock {
namespace {

using Backends = std::vector<std::pair<std::string, std::string>>;  // service, backend

constexpr std::uint64_t kDrainTimeoutSeconds = 30;  // of a gateway that is not told another
constexpr std::uint64_t kGatewayPatienceSeconds = 60;
constexpr int kCalmLooks = 4;  // two seconds

std::string text_at(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::uint64_t number_at(const Json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
}

/// The optional body of a drain of backends or of a gateway.
Result<Json> drain_body(const std::string& kind, const DrainFlags& flags) {
  Json body = Json::object();
  const bool gateway = kind == "gateway";
  if (gateway ? flags.deadline || flags.policy : flags.drain_timeout.has_value()) {
    return invalid(gateway ? "--deadline, --policy" : "--drain-timeout",
                   gateway ? "is for backends and nodes; a gateway takes --drain-timeout"
                           : "is for gateways; a " + kind + " takes --deadline");
  }
  const auto& deadline = gateway ? flags.drain_timeout : flags.deadline;
  if (deadline) {
    auto seconds = seconds_from_text(gateway ? "--drain-timeout" : "--deadline", *deadline);
    if (!seconds) return seconds.error();
    body["deadline_seconds"] = *seconds;
  }
  if (flags.policy) body["policy"] = *flags.policy;
  return body;
}

/// How long --wait waits: --timeout, or `otherwise`, 0 = for ever.
Result<Patience> patience_of(const DrainFlags& flags, std::uint64_t otherwise) {
  Patience out;
  out.pause = flags.pause;
  out.limit = std::chrono::seconds(otherwise);
  if (!flags.timeout) return out;
  auto seconds = seconds_from_text("--timeout", *flags.timeout);
  if (!seconds) return seconds.error();
  out.limit = std::chrono::seconds(*seconds);
  return out;
}

/// What the gateways that are there count for some backends.
struct FlowsLeft {
  std::uint64_t flows = 0;
  std::size_t gateways = 0;  // that are there to count
  std::size_t behind = 0;    // of these, those that do not run `generation` yet
};

Result<FlowsLeft> flows_left(const RestClient& rest, const Backends& backends, std::uint64_t generation) {
  FlowsLeft out;
  std::map<std::string, Json> services;
  for (const auto& [service, backend] : backends) {
    if (services.contains(service)) continue;
    auto stats = rest.get({"services", service, "stats"});
    if (!stats) return stats.error();
    services.emplace(service, std::move(*stats));
  }
  for (const auto& [service, backend] : backends) {
    for (const Json& counted : member(services.at(service), "backends")) {
      if (text_at(counted, "backend") == backend) out.flows += number_at(counted, "flows");
    }
  }
  std::map<std::string, bool> behind;
  for (const auto& [service, stats] : services) {
    for (const Json& gateway : member(stats, "gateways")) {
      if (member(gateway, "connected") != Json(true)) continue;
      behind[text_at(gateway, "gateway")] |= number_at(gateway, "generation") < generation;
    }
  }
  out.gateways = behind.size();
  out.behind = static_cast<std::size_t>(
      std::count_if(behind.begin(), behind.end(), [](const auto& gateway) { return gateway.second; }));
  return out;
}

/// Sees that no flow is left: all gateways run the drain, and count nothing for as long as `calm`, since they
/// count every second and may have taken a last flow just before.
class BackendsDrained {
 public:
  BackendsDrained(const RestClient& rest, Backends backends, std::uint64_t generation,
                  std::chrono::milliseconds calm)
      : rest_(rest), backends_(std::move(backends)), generation_(generation), calm_(calm) {}

  Result<Standing> operator()() {
    auto left = flows_left(rest_, backends_, generation_);
    if (!left) return left.error();
    Standing out;
    if (left->gateways == 0) {
      out.line = "no gateway is connected that would count its flows";
      zero_since_.reset();
      return out;
    }
    if (left->behind != 0) {
      out.line = "gateways that have yet to take up generation " + std::to_string(generation_) + ": " +
                 std::to_string(left->behind);
      zero_since_.reset();
      return out;
    }
    out.line = std::to_string(left->flows) + " flows left";
    const auto now = std::chrono::steady_clock::now();
    if (left->flows != 0) zero_since_.reset();
    if (left->flows == 0 && !zero_since_) zero_since_ = now;
    out.done = zero_since_ && now - *zero_since_ >= calm_;
    return out;
  }

 private:
  const RestClient& rest_;
  Backends backends_;
  std::uint64_t generation_;
  std::chrono::milliseconds calm_;
  std::optional<std::chrono::steady_clock::time_point> zero_since_;
};

/// Those that a change of a node changed.
Backends backends_of_node(const Json& answer) {
  Backends out;
  for (const Json& backend : member(answer, "backends")) {
    out.emplace_back(text_at(backend, "service"), text_at(backend, "id"));
  }
  return out;
}

std::string names_of(const Backends& backends) {
  std::string out;
  for (const auto& [service, backend] : backends) out += " " + service + "/" + backend;
  return out.empty() ? " no backend has one of its addresses" : out;
}

Standing drain_standing(const Json& gateway) {
  const Json& drain = member(gateway, "drain");
  const std::string phase = text_at(drain, "phase");
  Standing out;
  out.done = phase == "quiet";
  out.line = (phase.empty() ? "not heard of yet" : phase) + ", " +
             std::to_string(number_at(drain, "packets_per_second")) + " packets/s, " +
             std::to_string(number_at(drain, "flows")) + " flows left";
  return out;
}

Standing announce_standing(const Json& gateway) {
  const std::string phase = text_at(member(gateway, "drain"), "phase");
  const std::size_t announced = member(gateway, "announced_vips").size();
  Standing out;
  out.done = announced != 0 && (phase.empty() || phase == "none");
  out.line = std::to_string(announced) + " VIPs announced";
  return out;
}

Standing upgrade_standing(const Json& gateway, std::uint64_t id) {
  const Json& upgrade = member(gateway, "upgrade");
  Standing out;
  if (number_at(upgrade, "id") < id) {
    out.line = "asked for";
    return out;
  }
  const std::string phase = text_at(upgrade, "phase");
  const std::string detail = text_at(upgrade, "detail");
  out.line = phase + (detail.empty() ? "" : ": " + detail);
  if (phase == "draining") {
    out.line +=
        ", " + std::to_string(number_at(member(gateway, "drain"), "packets_per_second")) + " packets/s";
  }
  out.done = phase == "done";
  if (phase == "failed") {
    out.failed = Error{ErrorCode::kFailedPrecondition, detail.empty() ? "the upgrade failed" : detail};
  }
  return out;
}

}  // namespace

Status Commands::wait_for_backends(Backends backends, const DrainFlags& flags) {
  std::uint64_t otherwise = 0;
  if (flags.deadline) {
    auto deadline = seconds_from_text("--deadline", *flags.deadline);
    if (!deadline) return deadline.error();
    // Resets come with the deadline; flows that are kept may last, and then the deadline is the answer.
    otherwise = *deadline + (flags.policy == "reset" ? 15u : 1u);
  }
  auto patience = patience_of(flags, otherwise);
  if (!patience) return patience.error();
  auto status = rest_.get({"status"});
  if (!status) return status.error();
  const std::uint64_t generation = number_at(*status, "generation");
  return wait_until_done(BackendsDrained(rest_, std::move(backends), generation, kCalmLooks * flags.pause),
                         *patience, progress_);
}

Status Commands::wait_for_gateway(const std::string& id, const DrainFlags& flags, std::uint64_t otherwise,
                                  const std::function<Standing(const Json&)>& standing) {
  auto patience = patience_of(flags, otherwise);
  if (!patience) return patience.error();
  const auto look = [&]() -> Result<Standing> {
    auto gateway = rest_.get({"gateways", id});
    if (!gateway) return gateway.error();
    return standing(*gateway);
  };
  return wait_until_done(look, *patience, progress_);
}

Status Commands::drain(const std::string& kind, const std::string& id, const DrainFlags& flags) {
  auto path = path_of(kind, id);
  if (!path) return path.error();
  auto body = drain_body(kind, flags);
  if (!body) return body.error();
  auto patience = patience_of(flags, 0);  // a bad --timeout is told before anything is drained
  if (!patience) return patience.error();
  path->push_back("drain");
  auto written = body->empty() ? rest_.post(*path) : rest_.post(*path, *body);
  if (!written) return written.error();
  Backends backends;
  if (kind == "backend") backends.push_back(*service_and_backend(id));
  if (kind == "node") backends = backends_of_node(*written);
  const Status printed =
      print(*written, kind + " " + id + " drained" + (kind == "node" ? ":" + names_of(backends) : ""));
  if (!flags.wait || !printed) return printed;
  if (kind != "gateway") return backends.empty() ? printed : wait_for_backends(std::move(backends), flags);
  const std::uint64_t limit = number_at(*body, "deadline_seconds");
  return wait_for_gateway(id, flags, kGatewayPatienceSeconds + (limit == 0 ? kDrainTimeoutSeconds : limit),
                          &drain_standing);
}

Status Commands::undrain(const std::string& kind, const std::string& id, const DrainFlags& flags) {
  auto path = path_of(kind, id);
  if (!path) return path.error();
  auto patience = patience_of(flags, 0);
  if (!patience) return patience.error();
  path->push_back("undrain");
  auto written = rest_.post(*path);
  if (!written) return written.error();
  const Status printed = print(*written, kind + " " + id + " undrained");
  if (!flags.wait || !printed || kind != "gateway") return printed;
  return wait_for_gateway(id, flags, kGatewayPatienceSeconds, &announce_standing);
}

Status Commands::maintenance(const std::string& kind, const std::string& id, bool on) {
  auto path = path_of(kind, id);
  if (!path) return path.error();
  path->push_back("maintenance");
  auto written = on ? rest_.post(*path) : rest_.remove(*path);
  if (!written) return written.error();
  const std::string sentence = kind + " " + id + (on ? " in maintenance" : " out of maintenance");
  return print(*written, sentence + (kind == "node" ? ":" + names_of(backends_of_node(*written)) : ""));
}

Status Commands::upgrade(const std::string& id, const DrainFlags& flags) {
  Json body = Json::object();
  std::uint64_t drain_timeout = kDrainTimeoutSeconds;
  if (flags.drain_timeout) {
    auto seconds = seconds_from_text("--drain-timeout", *flags.drain_timeout);
    if (!seconds) return seconds.error();
    body["drain_timeout_seconds"] = drain_timeout = *seconds;
  }
  auto patience = patience_of(flags, 0);
  if (!patience) return patience.error();
  const RestClient::Path path{"gateways", id, "upgrade"};
  auto written = body.empty() ? rest_.post(path) : rest_.post(path, body);
  if (!written) return written.error();
  const std::uint64_t request = number_at(member(*written, "upgrade_request"), "id");
  const Status printed =
      print(*written, "gateway " + id + ": upgrade " + std::to_string(request) + " asked for");
  if (!flags.wait || !printed) return printed;
  return wait_for_gateway(id, flags, kGatewayPatienceSeconds + drain_timeout,
                          [request](const Json& gateway) { return upgrade_standing(gateway, request); });
}

}  // namespace penstock

#include "bpf/agent/load_tick.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "bpf/agent/checks/check_report.h"

namespace penstock {

LoadTick::LoadTick(const AgentSettings& settings)
    : settings_(settings.load),
      sensors_(find_host_sensors({}, settings.interfaces, settings.load.nic_speeds_mbps)),
      cgroups_({}, settings.load.service_cgroups, std::max(1u, std::thread::hardware_concurrency())) {}

Result<std::unique_ptr<LoadTick>> LoadTick::start(const AgentSettings& settings, std::function<void()> wake) {
  std::unique_ptr<LoadTick> self(new LoadTick(settings));
  if (settings.telemetry) self->load_telemetry();
  if (!settings.load.orca_socket.empty()) {
    auto socket = OrcaSocket::open(settings.load.orca_socket, self->orca_store_);
    if (!socket) return socket.error();
    self->orca_socket_ = std::move(*socket);
  }
  for (const OrcaEndpoint& endpoint : settings.load.orca_endpoints) {
    auto poller = OrcaPoller::start(endpoint, self->orca_store_);
    if (!poller) return poller.error();
    self->orca_pollers_.push_back(std::move(*poller));
  }
  CheckRunnerSettings checks;
  checks.scripts = settings.check_scripts;
  checks.wake = [tick = self.get(), wake = std::move(wake)] {
    tick->verdicts_changed_ = true;
    wake();
  };
  self->checks_ = std::make_unique<CheckRunner>(std::move(checks));
  return self;
}

/// Without it the agent does all the rest.
void LoadTick::load_telemetry() {
  auto telemetry = Telemetry::load();
  if (telemetry) {
    telemetry_ = std::move(*telemetry);
    say_what_is_not_measured();
    return;
  }
  telemetry_problem_ = "connections are not measured: " + telemetry.error().text();
  spdlog::warn("{}", telemetry_problem_);
}

void LoadTick::say_what_is_not_measured() {
  std::vector<std::string> problems = telemetry_->problems();
  if (problems == not_measured_) return;
  for (const std::string& problem : problems) spdlog::info("{}", problem);
  not_measured_ = std::move(problems);
}

void LoadTick::set_services(const NodeServices& services) {
  ids_.clear();
  for (const VipKey& key : services.services) ids_[key];
  for (const auto& [key, id] : services.ids) ids_[key] = id;
  std::erase_if(entries_, [&](const auto& entry) { return !ids_.contains(entry.first); });
  if (telemetry_ != nullptr) {
    connections_ = nullptr;  // a reference that is valid until the services change
    if (auto done = telemetry_->set_services(services.services); !done)
      spdlog::warn("{}", done.error().text());
    say_what_is_not_measured();
  }
  checks_->set(services.checks);
  verdicts_changed_ = true;
}

void LoadTick::take_verdicts() {
  if (!verdicts_changed_.exchange(false)) return;
  verdicts_.clear();
  for (const auto& [service, verdict] : checks_->verdicts()) {
    if (!service.nat) verdicts_[service.key] = verdict;
  }
}

void LoadTick::sample(Nanoseconds now) {
  sensors_.sample(now);
  cgroups_.sample(now);
  orca_store_.refresh(orca_, now);
  take_verdicts();
  if (telemetry_ == nullptr) return;
  connections_ = &telemetry_->sample(now);
  connections_at_ = now;
}

ServiceView LoadTick::view_of(const VipKey& key, const std::string& id) const {
  ServiceView out;
  if (connections_ != nullptr) {
    const auto found = connections_->find(key);
    if (found != connections_->end()) out.telemetry = &found->second;
    out.telemetry_at = connections_at_;
  }
  if (const CgroupLoad* cgroup = cgroups_.of(id)) {
    out.cpu = cgroup->cpu;
    out.throttled = cgroup->throttled;
  }
  if (!out.cpu) out.cpu = orca_.cpu_utilization(id);
  out.application_utilization = orca_.application_utilization(id);
  const auto verdict = verdicts_.find(key);
  if (verdict != verdicts_.end()) out.check = probe_check_value(verdict->second);
  return out;
}

Status LoadTick::publish(DecapProgram& program, Nanoseconds now) {
  for (const auto& [key, id] : ids_) {
    if (!key.is_one_port() || key.is_prefix()) continue;  // probes ask for no others
    if (const auto entry = service_entry(view_of(key, id), now)) {
      entries_[key] = *entry;
    } else {
      entries_.erase(key);
    }
  }
  if (auto done = program.set_host_load(host_entry(sensors_.load(), orca_.all, now)); !done)
    return done.error();
  return program.set_service_loads(entries_);
}

void LoadTick::report_checks(proto::NodeStatus& status, const std::vector<VipKey>& keys,
                             Nanoseconds now) const {
  const auto results = checks_->results();
  std::map<VipKey, const ServiceResult*> of_services;
  for (const auto& [service, result] : results) {
    if (!service.nat) {
      of_services[service.key] = &result;
      continue;
    }
    auto* out = status.add_nat_targets();
    out->set_service(service.service);
    out->set_address(service.key.vip_text());
    out->set_protocol(static_cast<proto::Protocol>(service.key.protocol));
    out->set_port(service.key.port);
    for (const CheckResult& check : result.checks) fill(check, now, *out->add_checks());
  }
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto found = of_services.find(keys[i]);
    if (found == of_services.end()) continue;
    auto* out = status.mutable_services(static_cast<int>(i));
    for (const CheckResult& check : found->second->checks) fill(check, now, *out->add_checks());
  }
}

void LoadTick::report(proto::NodeStatus& status, const std::vector<VipKey>& keys, Nanoseconds now) const {
  fill(*status.mutable_load(), sensors_.load(), orca_.all, settings_, now);
  for (const auto& [key, value] : settings_.labels) (*status.mutable_labels())[key] = value;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto id = ids_.find(keys[i]);
    if (id == ids_.end()) continue;
    auto* out = status.mutable_services(static_cast<int>(i));
    out->set_service(id->second);
    const ServiceView view = view_of(keys[i], id->second);
    if (view.telemetry != nullptr || view.cpu || view.throttled) fill(*out->mutable_telemetry(), view, now);
  }
  report_checks(status, keys, now);
}

std::vector<std::string> LoadTick::problems() const {
  std::vector<std::string> out = sensors_.problems();
  if (!telemetry_problem_.empty()) out.push_back(telemetry_problem_);
  for (std::string& problem : cgroups_.problems()) out.push_back(std::move(problem));
  return out;
}

}  // namespace penstock

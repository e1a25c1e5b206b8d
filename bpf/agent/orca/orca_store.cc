#include "bpf/agent/orca/orca_store.h"

#include <algorithm>
#include <optional>

namespace penstock {
namespace {

void raise(Measurement& to, const std::optional<double>& value, Nanoseconds at) {
  if (value && (!to || to->value < *value)) to = Measured{*value, at};
}

void add(Measurement& to, const std::optional<double>& value, Nanoseconds at) {
  if (value) to = to ? Measured{to->value + *value, std::min(to->at, at)} : Measured{*value, at};
}

void raise(std::map<std::string, Measured>& to, const std::map<std::string, double>& values, Nanoseconds at) {
  for (const auto& [name, value] : values) {
    const auto [entry, fresh] = to.try_emplace(name, Measured{value, at});
    if (!fresh && entry->second.value < value) entry->second = {value, at};
  }
}

}  // namespace

Measurement OrcaView::application_utilization(const std::string& service) const {
  const auto found = services.find(service);
  return found != services.end() && found->second.application_utilization
             ? found->second.application_utilization
             : host.application_utilization;
}

Measurement OrcaView::cpu_utilization(const std::string& service) const {
  const auto found = services.find(service);
  return found != services.end() ? found->second.cpu_utilization : std::nullopt;
}

Status OrcaStore::put(const std::string& source, OrcaReport report, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  const std::pair key(source, report.service);
  if (entries_.size() >= kMaxOrcaSources && !entries_.contains(key)) expire(now);
  if (entries_.size() >= kMaxOrcaSources && !entries_.contains(key)) {
    ++refused_;
    return unavailable("more than 256 processes and services report within ten seconds");
  }
  entries_[key] = {std::move(report), now};
  changed_ = true;
  ++accepted_;
  return Ok{};
}

void OrcaStore::count_refused() {
  const std::lock_guard lock(mutex_);
  ++refused_;
}

std::uint64_t OrcaStore::accepted() const {
  const std::lock_guard lock(mutex_);
  return accepted_;
}

std::uint64_t OrcaStore::refused() const {
  const std::lock_guard lock(mutex_);
  return refused_;
}

void OrcaStore::expire(Nanoseconds now) {
  std::erase_if(entries_, [&](const auto& entry) { return now - std::min(entry.second.at, now) >= expiry_; });
}

void OrcaStore::refresh(OrcaView& view, Nanoseconds now) {
  const std::lock_guard lock(mutex_);
  if (!changed_ && now - std::min(refreshed_, now) < Nanoseconds::from_seconds(1)) return;
  refreshed_ = now;
  changed_ = false;
  expire(now);
  view = {};
  for (const auto& [key, entry] : entries_) {
    const auto& [report, at] = entry;
    raise(view.all.application_utilization, report.application_utilization, at);
    add(view.all.rps_fractional, report.rps_fractional, at);
    add(view.all.eps, report.eps, at);
    raise(view.all.utilization, report.utilization, at);
    raise(view.all.named_metrics, report.named_metrics, at);
    raise(view.all.request_cost, report.request_cost, at);
    OrcaView::Service& of = report.service.empty() ? view.host : view.services[report.service];
    raise(of.cpu_utilization, report.cpu_utilization, at);
    raise(of.application_utilization, report.application_utilization, at);
  }
}

}  // namespace penstock

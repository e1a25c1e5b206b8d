#include "dataplane/control/config_applier.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/base/wall_clock.h"
#include "penstock/config/vip_prefix.h"
#include "penstock/proto/config.pb.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {
namespace {

std::set<VipPrefix> vips_of(const Document& document) {
  std::set<VipPrefix> vips;
  for (const ServiceDocument& service : document.services) vips.insert(VipPrefix(service.key));
  return vips;
}

std::vector<IpAddr> backends_of(const Document& document) {
  std::set<IpAddr> addresses;
  for (const ServiceDocument& service : document.services) {
    for (const BackendDocument& backend : service.backends) addresses.insert(backend.address);
  }
  return {addresses.begin(), addresses.end()};
}

std::vector<IpAddr> together(std::vector<IpAddr> all, const std::vector<IpAddr>& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

/// Marks the drains that are over; returns the services that this changed.
std::set<std::string, std::less<>> mark_ended_drains(std::uint64_t unix_seconds, Document& document) {
  std::set<std::string, std::less<>> changed;
  for (ServiceDocument& service : document.services) {
    for (BackendDocument& backend : service.backends) {
      const bool over = backend.drain_ends_at(unix_seconds);
      if (std::exchange(backend.drain_over, over) != over) changed.insert(service.id);
    }
  }
  return changed;
}

/// The next drain to end; UINT64_MAX when none will.
std::uint64_t next_deadline(const Document& document) {
  std::uint64_t next = UINT64_MAX;
  for (const ServiceDocument& service : document.services) {
    for (const BackendDocument& backend : service.backends) {
      if (backend.reset_after_unix_seconds != 0 && !backend.drain_over)
        next = std::min(next, backend.reset_after_unix_seconds);
    }
  }
  return next;
}

}  // namespace

ConfigApplier::ConfigApplier(Publisher& publisher, ApplierHooks hooks, std::vector<IpAddr> nat_addresses,
                             std::span<const NamedIndex> inherited, const std::vector<IpAddr>& nat_backups)
    : publisher_(publisher),
      hooks_(std::move(hooks)),
      nat_addresses_(std::move(nat_addresses)),
      answered_addresses_(together(nat_addresses_, nat_backups)),
      compiler_(answered_addresses_, inherited, monotonic_now()) {}

ConfigApplier::Verdict ConfigApplier::verdict(std::vector<Error> refusals) const {
  return {refusals.empty(), epoch(), generation(), std::move(refusals)};
}

ConfigApplier::Verdict ConfigApplier::apply(const proto::DataplaneConfig& config) {
  Validation validation = validate(config);
  const std::scoped_lock lock(mutex_);
  if (!validation.ok()) return verdict(std::move(validation.problems));
  Document& next = validation.document;
  const std::uint64_t wall_clock = unix_seconds_now();
  end_drains_locked(wall_clock);
  mark_ended_drains(wall_clock, next);
  if (is_running(next)) return verdict({});
  if (auto error = out_of_order(next)) return verdict({*std::move(error)});
  if (auto problems = nat_misfits(next); !problems.empty()) return verdict(std::move(problems));
  if (auto installed = install(std::move(next)); !installed) return verdict({installed.error()});
  spdlog::info("generation {} of epoch {} is running: {} services", generation(), epoch(),
               running_->services.size());
  return verdict({});
}

bool ConfigApplier::is_running(const Document& next) const {
  return running_ && running_->epoch == next.epoch && running_->generation == next.generation &&
         running_->hash_key == next.hash_key && overlay_.lifted(*running_).services == next.services;
}

// What only this gateway can tell, by its settings.
std::vector<Error> ConfigApplier::nat_misfits(const Document& next) const {
  const auto is_ours = [&](const IpAddr& address) {
    return std::find(answered_addresses_.begin(), answered_addresses_.end(), address) !=
           answered_addresses_.end();
  };
  const auto has_family = [&](bool v6) {
    return std::any_of(nat_addresses_.begin(), nat_addresses_.end(),
                       [&](const IpAddr& address) { return address.is_v6() == v6; });
  };
  std::vector<Error> problems;
  for (std::size_t i = 0; i < next.services.size(); ++i) {
    const ServiceDocument& service = next.services[i];
    const std::string path = "services[" + std::to_string(i) + "]";
    if (std::any_of(answered_addresses_.begin(), answered_addresses_.end(),
                    [&](const IpAddr& address) { return covers(service.key, address); })) {
      problems.push_back(
          invalid(path + ".vip",
                  service.key.vip_text() + " holds a --nat-source or --nat-backup-source of this gateway"));
    }
    for (std::size_t j = 0; j < service.backends.size(); ++j) {
      const IpAddr& address = service.backends[j].address;
      const std::string field = path + ".backends[" + std::to_string(j) + "].address";
      if (is_ours(address)) {
        problems.push_back(
            invalid(field, address.text() + " is a --nat-source or --nat-backup-source of this gateway"));
      } else if (service.encap == Encap::kNat && !has_family(address.is_v6())) {
        problems.push_back(invalid(field, "NAT to " + address.text() + " needs an address of its family on " +
                                              "this gateway: give penstock-dataplane a --nat-source"));
      }
    }
  }
  return problems;
}

std::optional<Error> ConfigApplier::out_of_order(const Document& next) const {
  if (!running_ || running_->epoch != next.epoch || running_->generation < next.generation)
    return std::nullopt;
  const std::string running = std::to_string(running_->generation);
  Error error =
      running_->generation == next.generation
          ? invalid("generation", "must be greater than " + running + ", which is running with other content")
          : invalid("generation", "must be greater than " + running + ", which is running");
  error.code = ErrorCode::kFailedPrecondition;
  return error;
}

Status ConfigApplier::install(Document next) {
  const std::set<VipPrefix> wanted = vips_of(next);
  std::vector<VipPrefix> added;
  std::set_difference(wanted.begin(), wanted.end(), steered_.begin(), steered_.end(),
                      std::back_inserter(added));
  const auto take_back = [&] {
    for (const VipPrefix& vip : added) static_cast<void>(hooks_.unsteer(vip));
  };
  for (const VipPrefix& vip : added) {
    if (auto steered = hooks_.steer(vip); !steered) {
      take_back();
      return steered;
    }
  }
  WeightOverlay overlay = overlay_;
  if (running_) overlay.carry_over(*running_, next);
  NextHops before = std::exchange(next_hops_, hooks_.resolve(backends_of(next)));
  if (auto published = publish(next); !published) {
    next_hops_ = std::move(before);
    take_back();
    return published;
  }
  for (const VipPrefix& vip : steered_) {
    if (wanted.contains(vip)) continue;
    if (auto removed = hooks_.unsteer(vip); !removed) spdlog::warn("{}", removed.error().text());
  }
  steered_ = wanted;
  take(std::move(overlay));
  adopt(std::move(next));
  if (hooks_.installed) hooks_.installed(*running_, publisher_.current());
  if (hooks_.reached) hooks_.reached(next_hops_);
  return Ok{};
}

void ConfigApplier::adopt(Document next) {
  epoch_ = next.epoch;
  generation_ = next.generation;
  running_ = std::move(next);
  next_deadline_ = next_deadline(*running_);
  if (hooks_.running) hooks_.running(*running_);
}

Status ConfigApplier::publish(const Document& document, const Compiler::Touched* touched) {
  auto compiled = compiler_.compile(document, next_hops_, monotonic_now(), touched);
  if (!compiled) return compiled.error();
  if (hooks_.keep_indexes) hooks_.keep_indexes(compiler_.backend_indexes());
  publisher_.publish(std::move(compiled).value());
  return Ok{};
}

std::vector<Error> ConfigApplier::misfits(const proto::UpdateWeightsRequest& update) const {
  std::vector<Error> problems;
  if (!running_ || running_->epoch != update.epoch()) {
    problems.push_back(invalid("epoch", "must be " + std::to_string(epoch()) + ", which is running"));
  } else if (running_->generation != update.base_generation()) {
    problems.push_back(
        invalid("base_generation", "must be " + std::to_string(generation()) + ", which is running"));
  } else if (update.version() == 0) {
    problems.push_back(invalid("version", "must be greater than 0"));
  } else if (overlay_.is_older(update)) {
    problems.push_back(invalid("version", "is older than what was told for this base_generation before"));
  }
  return problems;
}

ConfigApplier::Verdict ConfigApplier::update_weights(const proto::UpdateWeightsRequest& update) {
  const std::scoped_lock lock(mutex_);
  if (auto problems = misfits(update); !problems.empty()) return verdict(std::move(problems));
  if (overlay_.is_last(update)) return verdict({});
  Document next = *running_;
  WeightOverlay overlay = overlay_;
  Compiler::Touched touched;
  if (auto problems = overlay.lay(update, next, touched.services); !problems.empty())
    return verdict(std::move(problems));
  if (auto published = publish(next, &touched); !published) return verdict({published.error()});
  take(std::move(overlay));
  running_ = std::move(next);
  return verdict({});
}

void ConfigApplier::take(WeightOverlay overlay) {
  overlay_ = std::move(overlay);
  weights_version_ = overlay_.version();
}

void ConfigApplier::end_drains(std::uint64_t unix_seconds) {
  if (unix_seconds < next_deadline_.load(std::memory_order_relaxed)) return;
  const std::scoped_lock lock(mutex_);
  end_drains_locked(unix_seconds);
}

void ConfigApplier::end_drains_locked(std::uint64_t unix_seconds) {
  if (!running_ || unix_seconds < next_deadline_.load(std::memory_order_relaxed)) return;
  Document next = *running_;
  Compiler::Touched touched;
  touched.services = mark_ended_drains(unix_seconds, next);
  if (auto published = publish(next, &touched); !published) {
    spdlog::error("drains cannot be ended: {}", published.error().text());
    return;
  }
  adopt(std::move(next));
  for (const std::string& service : touched.services) spdlog::info("a drain of service {} is over", service);
}

void ConfigApplier::refresh_next_hops() {
  const std::scoped_lock lock(mutex_);
  if (!running_) return;
  next_hops_ = hooks_.resolve(backends_of(*running_));
  const Compiler::Touched hops{.services = {}, .next_hops = true};
  if (auto published = publish(*running_, &hops); !published) {
    spdlog::error("the new next hops cannot be used: {}", published.error().text());
  } else {
    spdlog::info("next hops have changed; generation {} is compiled anew", generation());
    if (hooks_.reached) hooks_.reached(next_hops_);
  }
}

}  // namespace penstock

#include "dataplane/control/config_applier.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string>
#include <utility>

#include "penstock/base/clock.h"
#include "penstock/proto/config.pb.h"

namespace penstock {
namespace {

std::set<IpAddr> vips_of(const Document& document) {
  std::set<IpAddr> vips;
  for (const ServiceDocument& service : document.services) vips.insert(service.key.vip);
  return vips;
}

std::vector<IpAddr> backends_of(const Document& document) {
  std::set<IpAddr> addresses;
  for (const ServiceDocument& service : document.services) {
    for (const BackendDocument& backend : service.backends) addresses.insert(backend.address);
  }
  return {addresses.begin(), addresses.end()};
}

}  // namespace

ConfigApplier::ConfigApplier(Publisher& publisher, ApplierHooks hooks)
    : publisher_(publisher), hooks_(std::move(hooks)) {}

ConfigApplier::Verdict ConfigApplier::verdict(std::vector<Error> refusals) const {
  return {refusals.empty(), epoch(), generation(), std::move(refusals)};
}

ConfigApplier::Verdict ConfigApplier::apply(const proto::DataplaneConfig& config) {
  Validation validation = validate(config);
  const std::scoped_lock lock(mutex_);
  if (!validation.ok()) return verdict(std::move(validation.problems));
  Document& next = validation.document;
  if (is_running(next)) return verdict({});
  if (auto error = out_of_order(next)) return verdict({*std::move(error)});
  if (auto installed = install(std::move(next)); !installed) return verdict({installed.error()});
  spdlog::info("generation {} of epoch {} is running: {} services", generation(), epoch(),
               running_->services.size());
  return verdict({});
}

bool ConfigApplier::is_running(const Document& next) const {
  return running_ && running_->epoch == next.epoch && running_->generation == next.generation &&
         running_->hash_key == next.hash_key && running_->services == next.services;
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
  const std::set<IpAddr> wanted = vips_of(next);
  std::vector<IpAddr> added;
  std::set_difference(wanted.begin(), wanted.end(), steered_.begin(), steered_.end(),
                      std::back_inserter(added));
  const auto take_back = [&] {
    for (const IpAddr& vip : added) static_cast<void>(hooks_.unsteer(vip));
  };
  for (const IpAddr& vip : added) {
    if (auto steered = hooks_.steer(vip); !steered) {
      take_back();
      return steered;
    }
  }
  if (auto published = publish(next); !published) {
    take_back();
    return published;
  }
  for (const IpAddr& vip : steered_) {
    if (wanted.contains(vip)) continue;
    if (auto removed = hooks_.unsteer(vip); !removed) spdlog::warn("{}", removed.error().text());
  }
  steered_ = wanted;
  epoch_ = next.epoch;
  generation_ = next.generation;
  running_ = std::move(next);
  return Ok{};
}

Status ConfigApplier::publish(const Document& document) {
  const NextHops next_hops = hooks_.resolve(backends_of(document));
  auto compiled = compiler_.compile(document, next_hops, monotonic_now());
  if (!compiled) return compiled.error();
  publisher_.publish(std::move(compiled).value());
  return Ok{};
}

void ConfigApplier::refresh_next_hops() {
  const std::scoped_lock lock(mutex_);
  if (!running_) return;
  if (auto published = publish(*running_); !published) {
    spdlog::error("the new next hops cannot be used: {}", published.error().text());
  } else {
    spdlog::info("next hops have changed; generation {} is compiled anew", generation());
  }
}

}  // namespace penstock

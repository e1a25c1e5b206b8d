#include "bpf/agent/telemetry/service_record.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr Nanoseconds kRemembered = Nanoseconds::from_millis(1400);  // longer than every window

constexpr Nanoseconds kSuspicion = Nanoseconds::from_millis(100);

Nanoseconds progress_of(const telemetry_pulse& pulse) {
  return Nanoseconds(__atomic_load_n(&pulse.progress_ns, __ATOMIC_RELAXED));
}

/// Since when nothing has moved, if new connections wait.
Nanoseconds queued_since(const telemetry_pulse& pulse) {
  return std::max(progress_of(pulse), Nanoseconds(__atomic_load_n(&pulse.work_ns, __ATOMIC_RELAXED)));
}

/// Numbers that go up on one CPU and down on another are right as a sum, and may be short of zero while both
/// happen.
std::uint64_t sum_of(std::span<const telemetry_shard> shards, abi_u32 telemetry_shard::*field) {
  std::uint32_t sum = 0;
  for (const telemetry_shard& shard : shards) sum += shard.*field;
  return static_cast<std::int32_t>(sum) > 0 ? sum : 0;
}

std::uint64_t sum_of(std::span<const telemetry_shard> shards, abi_u64 telemetry_shard::*field) {
  std::uint64_t sum = 0;
  for (const telemetry_shard& shard : shards) sum += shard.*field;
  return static_cast<std::int64_t>(sum) > 0 ? sum : 0;
}

std::uint64_t add_up(std::span<const telemetry_shard> shards, abi_u32 (telemetry_shard::*field)[kBuckets],
                     Histogram& total) {
  Histogram sum{};
  for (const telemetry_shard& shard : shards) {
    for (std::size_t i = 0; i < kBuckets; ++i) sum[i] += (shard.*field)[i];
  }
  std::uint64_t gained = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) gained += std::uint32_t{sum[i] - total[i]};
  total = sum;
  return gained;
}

std::optional<TimeQuantiles> quantiles(const Histogram& histogram) {
  const std::uint64_t total = total_of(histogram);
  if (total == 0) return std::nullopt;
  return TimeQuantiles{microseconds_of(quantile_bucket(histogram, total, 0.5)),
                       microseconds_of(quantile_bucket(histogram, total, 0.99))};
}

/// What waits not yet as long as half of the answered ones took says nothing.
void add_longer_than_median(Histogram& answered, const abi_u32 (&waiting)[kBuckets]) {
  const std::uint64_t total = total_of(answered);
  const std::size_t median = total == 0 ? 0 : quantile_bucket(answered, total, 0.5);
  for (std::size_t i = median + 1; i < kBuckets; ++i) answered[i] += waiting[i];
}

}  // namespace

ServiceRecord::Windows::Windows(Nanoseconds began, const Histogram& r, const Histogram& h, const Histogram& s)
    : fast_response(began, r),
      fast_handshake(began, h),
      response(began, r),
      handshake(began, h),
      srtt(began, s) {}

bool ServiceRecord::take_dirty() {
  bool dirty = false;
  for (telemetry_shard& shard : shards_) {
    // Cleared before the rest is read: what changes from here on is dirty again.
    if (__atomic_load_n(&shard.dirty, __ATOMIC_RELAXED) == 0) continue;
    __atomic_store_n(&shard.dirty, 0, __ATOMIC_SEQ_CST);
    dirty = true;
  }
  return dirty;
}

void ServiceRecord::read_counters(ServiceTelemetry& out) {
  out.new_connections = sum_of(shards_, &telemetry_shard::new_connections);
  out.established = sum_of(shards_, &telemetry_shard::established);
  out.closes = sum_of(shards_, &telemetry_shard::closes);
  out.resets_sent = sum_of(shards_, &telemetry_shard::resets_sent);
  out.resets_received = sum_of(shards_, &telemetry_shard::resets_received);
  out.retransmits = sum_of(shards_, &telemetry_shard::retransmits);
  out.bytes_in = sum_of(shards_, &telemetry_shard::bytes_in);
  out.bytes_out = sum_of(shards_, &telemetry_shard::bytes_out);
  new_connections_ = out.new_connections;
  abandoned_ = sum_of(shards_, &telemetry_shard::abandoned);
}

void ServiceRecord::read_histograms(ServiceTelemetry& out) {
  out.responses += add_up(shards_, &telemetry_shard::response, totals_.response);
  add_up(shards_, &telemetry_shard::handshake, totals_.handshake);
  add_up(shards_, &telemetry_shard::srtt, totals_.srtt);
}

void ServiceRecord::update_windows(Nanoseconds now, const telemetry_scan& scan, ServiceTelemetry& out) {
  Histogram fast = windows_->fast_response.advance(now, totals_.response);
  if (out.waiting > 0) add_longer_than_median(fast, scan.ages);
  out.fast_response = quantiles(fast);
  out.fast_handshake = quantiles(windows_->fast_handshake.advance(now, totals_.handshake));
  out.response = quantiles(windows_->response.advance(now, totals_.response));
  out.handshake = quantiles(windows_->handshake.advance(now, totals_.handshake));
  const auto srtt = quantiles(windows_->srtt.advance(now, totals_.srtt));
  out.srtt_us = srtt ? std::optional(srtt->p50_us) : std::nullopt;
}

void ServiceRecord::note_scan(Nanoseconds before, const telemetry_scan& scan, telemetry_pulse& pulse) {
  if (scan.moved > 0 && progress_of(pulse) < before)
    __atomic_store_n(&pulse.progress_ns, before.count(), __ATOMIC_RELAXED);
}

bool ServiceRecord::is_suspicious(Nanoseconds now, const telemetry_pulse& pulse) const {
  return may_be_queued() && queued_since(pulse) + kSuspicion < now;
}

void ServiceRecord::note_queue(Nanoseconds now, std::uint32_t queue, telemetry_pulse& pulse) {
  queue_seen_ = queue > 0;
  if (queue_seen_ || !may_be_queued()) return;
  empty_at_ = new_connections_;
  if (unread_) return;
  __atomic_store_n(&pulse.progress_ns, now.count(), __ATOMIC_RELAXED);
}

void ServiceRecord::judge(Nanoseconds now, const telemetry_scan& scan, const telemetry_pulse& pulse,
                          ServiceTelemetry& out) {
  ServicePulse seen{may_be_queued() && queue_seen_, unread_, progress_of(pulse), now};
  if (seen.queued) seen.work = queued_since(pulse);
  if (seen.unread) {
    seen.work = std::min(seen.work, std::max(seen.progress, Nanoseconds(scan.oldest_unread_ns)));
  }
  out.stalled = stall_watch_.judge(now, seen);
}

void ServiceRecord::sample(Nanoseconds now, const telemetry_scan& scan, ServiceTelemetry& out) {
  const bool is_dirty = take_dirty();
  unread_ = scan.unread > 0;
  out.waiting = scan.waiting;
  if (is_dirty || out.waiting > 0) {
    changed_ = now;
    if (!windows_) {
      windows_ = std::make_unique<Windows>(began_, totals_.response, totals_.handshake, totals_.srtt);
    }
  }
  if (is_dirty) {
    read_counters(out);
    read_histograms(out);
  }
  // Not all of it is of the same moment, but a counter never goes back.
  out.requests = std::max(out.requests, out.responses + out.waiting + abandoned_);
  if (windows_) {
    update_windows(now, scan, out);
    if (changed_ + kRemembered >= now) return;
    windows_.reset();  // nothing has come for so long that all are empty
  }
  began_ = now;
}

}  // namespace penstock

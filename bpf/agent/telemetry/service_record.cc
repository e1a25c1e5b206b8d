#include "bpf/agent/telemetry/service_record.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr Nanoseconds kRemembered = Nanoseconds::from_millis(1400);  // longer than every window
constexpr std::uint64_t kStepNs = std::uint64_t{1} << PENSTOCK_TELEMETRY_STEP_SHIFT;

constexpr Nanoseconds kSuspicion = Nanoseconds::from_millis(100);

/// Since when nothing has moved, if work waits.
Nanoseconds since(const telemetry_pulse& pulse) {
  return Nanoseconds(std::max(__atomic_load_n(&pulse.progress_ns, __ATOMIC_RELAXED),
                              __atomic_load_n(&pulse.work_ns, __ATOMIC_RELAXED)));
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
void add_longer_than_median(Histogram& answered, const Histogram& waiting) {
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
  queued_ = sum_of(shards_, &telemetry_shard::queued) > 0;
  unread_ = sum_of(shards_, &telemetry_shard::unread) > 0;
}

void ServiceRecord::read_histograms(ServiceTelemetry& out) {
  std::uint32_t waiting = 0;
  for (const telemetry_shard& shard : shards_) {
    for (const abi_u32 n : shard.waiting) waiting += n;
    waiting += shard.ancient;
  }
  out.waiting = static_cast<std::int32_t>(waiting) > 0 ? waiting : 0;
  out.responses += add_up(shards_, &telemetry_shard::response, totals_.response);
  add_up(shards_, &telemetry_shard::handshake, totals_.handshake);
  add_up(shards_, &telemetry_shard::srtt, totals_.srtt);
  // Not all of it is of the same moment, but a counter never goes back.
  out.requests = std::max(out.requests, out.responses + out.waiting + abandoned_);
}

/// By the time that they have waited. Longer than the ring reaches waits a stream, or the victim of a stall.
Histogram ServiceRecord::still_waiting(Nanoseconds now) const {
  Histogram ages{};
  const std::uint64_t step_now = now.count() / kStepNs;
  for (std::uint64_t back = 0; back < PENSTOCK_TELEMETRY_STEPS && back <= step_now; ++back) {
    const std::uint64_t step = step_now - back;
    std::uint32_t n = 0;
    for (const telemetry_shard& shard : shards_) n += shard.waiting[step % PENSTOCK_TELEMETRY_STEPS];
    if (static_cast<std::int32_t>(n) <= 0) continue;
    const std::uint64_t middle = step * kStepNs + kStepNs / 2;
    ages[bucket_of(now.count() > middle ? (now.count() - middle) / 1000 : 0)] += n;
  }
  return ages;
}

void ServiceRecord::update_windows(Nanoseconds now, ServiceTelemetry& out) {
  if (!windows_) return;
  Histogram fast = windows_->fast_response.advance(now, totals_.response);
  if (out.waiting > 0) add_longer_than_median(fast, still_waiting(now));
  out.fast_response = quantiles(fast);
  out.fast_handshake = quantiles(windows_->fast_handshake.advance(now, totals_.handshake));
  out.response = quantiles(windows_->response.advance(now, totals_.response));
  out.handshake = quantiles(windows_->handshake.advance(now, totals_.handshake));
  const auto srtt = quantiles(windows_->srtt.advance(now, totals_.srtt));
  out.srtt_us = srtt ? std::optional(srtt->p50_us) : std::nullopt;
}

bool ServiceRecord::is_suspicious(Nanoseconds now, const telemetry_pulse& pulse) const {
  return may_be_queued() && since(pulse) + kSuspicion < now;
}

void ServiceRecord::note_queue(Nanoseconds now, std::uint32_t queue, telemetry_pulse& pulse) {
  queue_seen_ = queue > 0;
  if (queue_seen_ || !may_be_queued()) return;
  empty_at_ = new_connections_;
  if (!unread_) __atomic_store_n(&pulse.progress_ns, now.count(), __ATOMIC_RELAXED);
}

void ServiceRecord::judge(Nanoseconds now, const telemetry_pulse& pulse, ServiceTelemetry& out) {
  if ((counted_ & PENSTOCK_TELEMETRY_UNREAD) == 0) return;
  const Nanoseconds progress(__atomic_load_n(&pulse.progress_ns, __ATOMIC_RELAXED));
  out.stalled = stall_watch_.judge(now, {may_be_queued() && queue_seen_, unread_, progress, since(pulse)});
}

void ServiceRecord::sample(Nanoseconds now, ServiceTelemetry& out) {
  if (take_dirty()) {
    changed_ = now;
    if (!windows_) {
      windows_ = std::make_unique<Windows>(began_, totals_.response, totals_.handshake, totals_.srtt);
    }
    read_counters(out);
    read_histograms(out);
  }
  if (windows_) {
    update_windows(now, out);
    // Nothing has come for so long that every window is empty.
    if (out.waiting == 0 && changed_ + kRemembered < now) {
      windows_.reset();
      began_ = now;
    }
  } else {
    began_ = now;
  }
}

void ServiceRecord::retire(std::uint64_t first, std::uint64_t last) {
  for (telemetry_shard& shard : shards_) {
    for (std::uint64_t step = first; step < last; ++step) {
      abi_u32& waiting = shard.waiting[step % PENSTOCK_TELEMETRY_STEPS];
      if (__atomic_load_n(&waiting, __ATOMIC_RELAXED) == 0) continue;
      __atomic_fetch_add(&shard.ancient, __atomic_exchange_n(&waiting, 0, __ATOMIC_RELAXED),
                         __ATOMIC_RELAXED);
    }
  }
}

}  // namespace penstock

// How time passes in the table: the paced sweep, and the cold path after a long pause or a restart.
#include <algorithm>

#include "dataplane/flow/flow_buckets.h"

namespace penstock {
namespace {

// A paced round takes 512 ticks, about 70 s.
constexpr std::uint64_t kTicksPerRound = 512;
// 4.9 hours each. After a longer round, or a longer pause between two calls, advance() visits every bucket
// at once.
constexpr Tick kLongestRound = Tick{1} << 17;
constexpr Tick kLongestPause = Tick{1} << 17;
// The sweep's last visit to any bucket is at most two rounds ago, and what it left alive expires after it. So
// expiry ticks lie between two rounds ago and kMaxIdleTicks ahead, and must be unambiguous in that range.
static_assert(kMaxIdleTicks + 2 * kLongestRound < (Tick{1} << flow_word::kExpiryBits),
              "a stale entry must be swept before its expiry tick wraps into the future");

}  // namespace

void FlowBuckets::advance_slowly(Tick now) noexcept {
  const Tick elapsed = now - header_->clock;
  if (static_cast<std::int32_t>(elapsed) > 0) {
    if (elapsed > kLongestPause || now - header_->round_started > kLongestRound) {
      expire_all(now);
      return;
    }
    publish(header_->clock, now);
    const std::uint64_t due = elapsed * (bucket_count_ / kTicksPerRound + 1);
    header_->debt = std::min<std::uint64_t>(bucket_count_, header_->debt + due);
  }
  // Four at a time leave no mark on a burst's latency; a worker that polls rarely pays more at once.
  const std::uint64_t part = std::min(header_->debt, 4 + header_->debt / 1024);
  header_->debt -= part;
  sweep(part);
}

void FlowBuckets::sweep(std::uint64_t buckets) noexcept {
  for (; buckets != 0; --buckets) {
    const std::uint64_t index = header_->cursor;
    __builtin_prefetch(&buckets_[index + 8 < bucket_count_ ? index + 8 : 0]);
    sweep_bucket(static_cast<std::uint32_t>(index));
    header_->cursor = index + 1;
    if (header_->cursor == bucket_count_) {
      header_->cursor = 0;
      header_->round_started = header_->clock;
    }
  }
}

void FlowBuckets::sweep_bucket(std::uint32_t index) noexcept {
  for (std::uint32_t slot = 0; slot < kSlotsPerBucket; ++slot) {
    const std::uint64_t word = buckets_[index].words[slot];
    if (word == 0 || flow_word::lives(word, header_->clock)) continue;
    reclaim({index, slot});
  }
}

void FlowBuckets::expire_all(Tick now) noexcept {
  // Seen from the last time that the table knew, no expiry has wrapped yet.
  const Tick last = header_->clock;
  const Tick elapsed = now - last;
  for (std::uint32_t index = 0; index < bucket_count_; ++index) {
    for (std::uint32_t slot = 0; slot < kSlotsPerBucket; ++slot) {
      const std::uint64_t word = buckets_[index].words[slot];
      if (word == 0) continue;
      if (flow_word::lives(word, last) && flow_word::remaining(word, last) > elapsed) continue;
      reclaim({index, slot});
    }
  }
  publish(header_->clock, now);
  header_->round_started = now;
  header_->cursor = 0;
  header_->debt = 0;
}

bool FlowBuckets::has_twin_at_home(FlowSlot at, const FlowBucket& home) const noexcept {
  const std::uint64_t tag = tag_at(at);
  for (std::uint32_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = home.words[i];
    if (word == 0 || flow_word::displaced(word)) continue;
    if (home.tags[i] == static_cast<std::uint32_t>(tag) && flow_word::has_tag_of(word, tag)) return true;
  }
  return false;
}

void FlowBuckets::recount() noexcept {
  // A process killed in the middle of a move leaves an entry in both of its buckets, or a wrong count.
  for (std::size_t i = 0; i < bucket_count_; ++i) buckets_[i].displaced = 0;
  std::uint64_t size = 0;
  std::uint64_t confirmed = 0;
  for (std::uint32_t index = 0; index < bucket_count_; ++index) {
    for (std::uint32_t slot = 0; slot < kSlotsPerBucket; ++slot) {
      std::uint64_t& word = buckets_[index].words[slot];
      if (flow_word::displaced(word)) {
        FlowBucket& home = buckets_[other_of(index, tag_at({index, slot}))];
        if (has_twin_at_home({index, slot}, home)) word = 0;
        if (word != 0) ++home.displaced;
      }
      if (word == 0) continue;
      ++size;
      confirmed += is_confirmed(flow_word::state(word)) ? 1 : 0;
    }
  }
  publish(header_->size, size);
  publish(header_->confirmed, confirmed);
}

}  // namespace penstock

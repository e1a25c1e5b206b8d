// Layout, take-over and what other threads may read.
#include "dataplane/flow/flow_buckets.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace penstock {
namespace {

// Bucket numbers are 32 bits and sums of two of them must be too.
constexpr std::size_t kMaxBuckets = std::size_t{1} << 31;

std::size_t buckets_in(std::span<std::byte> memory) noexcept {
  if (memory.size() < kHeaderBytes) return 0;
  return (memory.size() - kHeaderBytes) / sizeof(FlowBucket);
}

Status check_memory(std::span<std::byte> memory) {
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(FlowBucket) != 0) {
    return invalid("memory", "must be aligned to 64 bytes");
  }
  const std::size_t least = FlowBuckets::required_bytes(1);
  if (memory.size() < least) {
    return invalid("memory", "has " + std::to_string(memory.size()) +
                                 " bytes, the smallest flow table needs " + std::to_string(least));
  }
  if (buckets_in(memory) > kMaxBuckets)
    return invalid("memory", "is larger than the 128 GiB of the largest table");
  return Ok{};
}

Error not_ours(const std::string& why) {
  return Error{ErrorCode::kFailedPrecondition, "cannot take over the flow table: " + why, "memory"};
}

}  // namespace

std::size_t FlowBuckets::required_bytes(std::size_t capacity) noexcept {
  // 85 % of five slots is 4.25 flows a bucket.
  const std::size_t buckets = std::max<std::size_t>(2, (capacity * 4 + 16) / 17);
  return kHeaderBytes + buckets * sizeof(FlowBucket);
}

Result<FlowBuckets> FlowBuckets::lay_out(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now) {
  if (auto fits = check_memory(memory); !fits) return fits.error();
  auto* header = reinterpret_cast<FlowTableHeader*>(memory.data());
  auto* buckets = reinterpret_cast<FlowBucket*>(memory.data() + kHeaderBytes);
  const std::size_t count = buckets_in(memory);
  // The magic goes first and comes last, so that nobody takes over a table that was never finished.
  std::atomic_ref<std::uint64_t>(header->magic).store(0, std::memory_order_release);
  std::memset(memory.data(), 0, kHeaderBytes + count * sizeof(FlowBucket));
  header->layout_version = kLayoutVersion;
  header->slots_per_bucket = kSlotsPerBucket;
  header->bucket_count = count;
  header->fingerprint = fingerprint;
  header->tick_shift = kTickShift;
  header->clock = now;
  header->round_started = now;
  std::atomic_ref<std::uint64_t>(header->magic).store(kFlowTableMagic, std::memory_order_release);
  return FlowBuckets(header, buckets, count);
}

Result<FlowBuckets> FlowBuckets::take_over(std::span<std::byte> memory, std::uint64_t fingerprint, Tick now) {
  if (auto fits = check_memory(memory); !fits) return fits.error();
  auto* header = reinterpret_cast<FlowTableHeader*>(memory.data());
  if (header->magic != kFlowTableMagic) return not_ours("the memory holds none");
  if (header->layout_version != kLayoutVersion || header->slots_per_bucket != kSlotsPerBucket ||
      header->tick_shift != kTickShift) {
    return not_ours("it has layout version " + std::to_string(header->layout_version) +
                    ", this program writes " + std::to_string(kLayoutVersion));
  }
  if (header->bucket_count != buckets_in(memory)) {
    return not_ours("it has " + std::to_string(header->bucket_count) + " buckets, the memory has room for " +
                    std::to_string(buckets_in(memory)));
  }
  if (header->fingerprint != fingerprint)
    return not_ours("it was made under another hash key or configuration");
  if (static_cast<std::int32_t>(now - header->clock) < 0) return not_ours("its clock is ahead of ours");
  FlowBuckets table(header, reinterpret_cast<FlowBucket*>(memory.data() + kHeaderBytes),
                    header->bucket_count);
  table.recount();
  table.expire_all(now);
  return table;
}

FlowTableStats FlowBuckets::stats() const noexcept {
  return {.size = observe(header_->size),
          .confirmed = observe(header_->confirmed),
          .inserted = observe(header_->inserted),
          .evicted = observe(header_->evicted),
          .full = observe(header_->full),
          .expired = observe(header_->expired),
          .moved = observe(header_->moved)};
}

std::size_t FlowBuckets::read_bucket(std::size_t index,
                                     std::span<FlowRecord, kSlotsPerBucket> out) const noexcept {
  const FlowBucket& b = buckets_[index];
  const auto here = static_cast<std::uint32_t>(index);
  const Tick time = now();
  std::size_t found = 0;
  for (std::size_t i = 0; i < kSlotsPerBucket; ++i) {
    const std::uint64_t word = observe(b.words[i]);
    if (!flow_word::lives(word, time)) continue;
    const std::uint64_t tag = observe(b.tags[i]) | word >> flow_word::kTagShift << 32;
    const std::uint32_t home = flow_word::displaced(word) ? other_of(here, tag) : here;
    out[found++] = {name_of(home, tag), flow_word::backend(word), flow_word::state(word),
                    flow_word::remaining(word, time)};
  }
  return found;
}

std::uint64_t FlowBuckets::flow_name(std::uint64_t digest) const noexcept {
  return name_of(home_of(digest), digest & flow_word::kTagMask);
}

std::uint64_t FlowBuckets::name_of(std::uint64_t home, std::uint64_t tag) const noexcept {
  // The digests of this home begin at ceil(home * 2^64 / buckets); of those that end in the tag, the first
  // one names the flow. 2^64 = whole * buckets + rest, 0 < rest <= buckets, keeps the divisions to 64 bits: a
  // replication thread names every flow four times a second.
  const std::uint64_t whole = UINT64_MAX / bucket_count_;
  const std::uint64_t rest = UINT64_MAX % bucket_count_ + 1;
  const std::uint64_t begin = home * whole + (home * rest + bucket_count_ - 1) / bucket_count_;
  const std::uint64_t name = (begin & ~flow_word::kTagMask) | tag;
  return name >= begin ? name : name + flow_word::kTagMask + 1;
}

}  // namespace penstock

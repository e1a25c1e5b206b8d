#include "dataplane/sync/record_set.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace penstock {
namespace {

constexpr unsigned kFirstSlotBits = 10;
constexpr unsigned kSlotBitsPerLeaf = 7;  // 128 places hold 48 to 96 records
constexpr std::size_t kFirstStride = 12;

// The finaliser of splitmix64 (Steele, Lea, Flood, OOPSLA '14) and its inverse.
std::uint64_t unmix(std::uint64_t x) noexcept {
  x = (x ^ x >> 31 ^ x >> 62) * 0x3196'42b2'd24d'8ec3;
  x = (x ^ x >> 27 ^ x >> 54) * 0x96de'1b17'3f11'9089;
  return x ^ x >> 30 ^ x >> 60;
}

}  // namespace

std::uint64_t RecordSet::mix(std::uint64_t x) noexcept {
  x = (x ^ x >> 30) * 0xbf58'476d'1ce4'e5b9;
  x = (x ^ x >> 27) * 0x94d0'49bb'1331'11eb;
  return x ^ x >> 31;
}

RecordSet::RecordSet(SyncRecordType type, std::size_t limit) : type_(type), limit_(limit) { clear(); }

void RecordSet::clear() { lay_out(kFirstSlotBits, kFirstStride); }

void RecordSet::lay_out(unsigned slot_bits, std::size_t stride) {
  const std::size_t slots = std::size_t{1} << slot_bits;
  slot_bits_ = slot_bits;
  leaf_bits_ = std::min(slot_bits - kSlotBitsPerLeaf, kMaxRangeBits);
  stride_ = stride;
  count_ = 0;
  keys_.assign(slots, 0);
  hashes_.assign(slots, 0);
  rounds_.assign(slots, 0);
  sizes_.assign(slots, 0);
  data_.assign(slots * stride, std::byte{0});
  leaves_.assign(std::size_t{1} << leaf_bits_, 0);
}

void RecordSet::rebuild(unsigned slot_bits, std::size_t stride) {
  const auto keys = std::exchange(keys_, {});
  const auto hashes = std::exchange(hashes_, {});
  const auto rounds = std::exchange(rounds_, {});
  const auto sizes = std::exchange(sizes_, {});
  const auto data = std::exchange(data_, {});
  const std::size_t before = stride_;
  lay_out(slot_bits, stride);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (rounds[i] == 0) continue;
    write(locate(keys[i]), keys[i], {data.data() + i * before, sizes[i]}, hashes[i], rounds[i]);
  }
}

std::uint64_t RecordSet::hash_of(std::uint64_t mixed, std::span<const std::byte> data) const noexcept {
  return XXH3_64bits_withSeed(data.data(), data.size(), mixed + static_cast<std::uint64_t>(type_));
}

// Where the key lies, or the free place where it would.
std::size_t RecordSet::locate(std::uint64_t mixed) const noexcept {
  const std::size_t mask = keys_.size() - 1;
  std::size_t slot = home(mixed);
  while (rounds_[slot] != 0 && keys_[slot] != mixed) slot = (slot + 1) & mask;
  return slot;
}

void RecordSet::write(std::size_t slot, std::uint64_t mixed, std::span<const std::byte> data,
                      std::uint64_t hash, std::uint8_t round) {
  if (rounds_[slot] == 0) {
    ++count_;
  } else {
    leaf(mixed) ^= hashes_[slot];
  }
  leaf(mixed) ^= hash;
  keys_[slot] = mixed;
  hashes_[slot] = hash;
  rounds_[slot] = round;
  sizes_[slot] = static_cast<std::uint8_t>(data.size());
  std::copy(data.begin(), data.end(), data_.begin() + static_cast<std::ptrdiff_t>(slot * stride_));
}

RecordSet::Put RecordSet::put(std::uint64_t key, std::span<const std::byte> data) {
  const std::uint64_t mixed = mix(key);
  const std::uint64_t hash = hash_of(mixed, data);
  std::size_t slot = locate(mixed);
  const bool known = rounds_[slot] != 0;
  if (known && hashes_[slot] == hash) {
    rounds_[slot] = round_;
    return Put::kSame;
  }
  if (!known && count_ >= limit_) return Put::kFull;
  const bool crowded = !known && (count_ + 1) * 4 > keys_.size() * 3;
  if (crowded || data.size() > stride_) {
    rebuild(slot_bits_ + (crowded ? 1 : 0), std::max(stride_, data.size()));
    slot = locate(mixed);
  }
  write(slot, mixed, data, hash, round_);
  return known ? Put::kChanged : Put::kNew;
}

// Closes the gap by moving back whatever may stand there (Knuth, TAOCP 3, 6.4 R).
void RecordSet::remove(std::size_t slot) noexcept {
  const std::size_t mask = keys_.size() - 1;
  leaf(keys_[slot]) ^= hashes_[slot];
  --count_;
  std::size_t gap = slot;
  for (std::size_t next = (gap + 1) & mask; rounds_[next] != 0; next = (next + 1) & mask) {
    if (((next - home(keys_[next])) & mask) < ((next - gap) & mask)) continue;
    keys_[gap] = keys_[next];
    hashes_[gap] = hashes_[next];
    rounds_[gap] = rounds_[next];
    sizes_[gap] = sizes_[next];
    std::memcpy(&data_[gap * stride_], &data_[next * stride_], stride_);
    gap = next;
  }
  rounds_[gap] = 0;
}

bool RecordSet::erase(std::uint64_t key) {
  const std::size_t slot = locate(mix(key));
  if (rounds_[slot] == 0) return false;
  remove(slot);
  return true;
}

bool RecordSet::find(std::uint64_t key, SyncRecord& out) const {
  const std::size_t slot = locate(mix(key));
  if (rounds_[slot] == 0) return false;
  out = record_at(slot);
  return true;
}

SyncRecord RecordSet::record_at(std::size_t slot) const {
  SyncRecord record;
  record.type = type_;
  record.size = sizes_[slot];
  record.key = unmix(keys_[slot]);
  std::memcpy(record.data.data(), &data_[slot * stride_], record.size);
  return record;
}

void RecordSet::end_round(const std::function<void(std::uint64_t key)>& ended) {
  std::vector<std::uint64_t> keys;
  for (std::size_t i = 0; i < rounds_.size(); ++i) {
    if (rounds_[i] != 0 && rounds_[i] != round_) keys.push_back(unmix(keys_[i]));
  }
  for (const std::uint64_t key : keys) {
    erase(key);
    ended(key);
  }
}

std::uint32_t RecordSet::checksum(unsigned bits, std::size_t range) const {
  std::uint64_t sum = 0;
  if (bits <= leaf_bits_) {
    const std::size_t each = std::size_t{1} << (leaf_bits_ - bits);
    for (std::size_t i = range * each; i < (range + 1) * each; ++i) sum ^= leaves_[i];
  } else {
    const std::uint64_t low = std::uint64_t{range} << (64 - bits);
    const std::uint64_t high = low | UINT64_MAX >> bits;
    for_each_in(low, high, [&](const SyncRecord& r) { sum ^= hash_of(mix(r.key), r.bytes()); });
  }
  return static_cast<std::uint32_t>(sum ^ sum >> 32);
}

void RecordSet::for_each_in(std::uint64_t low, std::uint64_t high,
                            const std::function<void(const SyncRecord&)>& see) const {
  const std::size_t mask = keys_.size() - 1;
  const std::size_t last = home(high) - home(low);
  // On to the first free place behind the range: what belongs to it may have been pushed there.
  for (std::size_t i = 0; i < keys_.size(); ++i) {
    const std::size_t slot = (home(low) + i) & mask;
    if (rounds_[slot] == 0) {
      if (i > last) return;
      continue;
    }
    if (keys_[slot] >= low && keys_[slot] <= high) see(record_at(slot));
  }
}

void RecordSet::for_each(const std::function<void(const SyncRecord&)>& see) const {
  walk(0, keys_.size(), see);
}

std::size_t RecordSet::walk(std::size_t cursor, std::size_t places,
                            const std::function<void(const SyncRecord&)>& see) const {
  const std::size_t end = std::min(keys_.size(), cursor + places);
  for (std::size_t i = cursor; i < end; ++i) {
    if (rounds_[i] != 0) see(record_at(i));
  }
  return end == keys_.size() ? 0 : end;
}

}  // namespace penstock

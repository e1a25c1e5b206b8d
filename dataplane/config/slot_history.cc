#include "dataplane/config/slot_history.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace penstock {

SlotHistory::SlotHistory(std::uint32_t size)
    : size_(size), words_(static_cast<std::uint64_t*>(std::calloc(size, sizeof(std::uint64_t)))) {
  if (words_ == nullptr) throw std::bad_alloc();
}

void SlotHistory::pass_on(std::uint32_t slot, BackendIndex before, BackendIndex now) noexcept {
  const Owners old = owners_before(slot);
  std::uint64_t word = 0;
  unsigned places = 0;
  const auto keep = [&](BackendIndex owner) {
    if (owner == kNoBackend || owner == now || places == kMost) return;
    word |= (std::uint64_t{owner} + 1) << (kBits * places++);
  };
  keep(before);
  for (const BackendIndex owner : old) {
    if (owner != before) keep(owner);
  }
  std::atomic_ref<std::uint64_t>(words_[slot]).store(word, std::memory_order_relaxed);
}

void record_change(SlotHistory& history, const SlotOwners& before, const SlotOwners& now) noexcept {
  constexpr std::uint32_t kBlock = 64;  // slots that one comparison skips
  const bool same_places =
      std::ranges::equal(before.backends, now.backends) && !before.owners.empty() && !now.owners.empty();
  for (std::uint32_t from = 0; from < history.size(); from += kBlock) {
    const std::uint32_t end = std::min(from + kBlock, history.size());
    if (same_places &&
        std::memcmp(&before.owners[from], &now.owners[from], (end - from) * sizeof before.owners[0]) == 0)
      continue;
    for (std::uint32_t slot = from; slot < end; ++slot) {
      if (before.of(slot) != now.of(slot)) history.pass_on(slot, before.of(slot), now.of(slot));
    }
  }
}

std::shared_ptr<SlotHistory> resized(const SlotHistory* history, const SlotOwners& before,
                                     std::uint32_t before_size, const SlotOwners& now, std::uint32_t size) {
  auto out = std::make_shared<SlotHistory>(size);
  for (std::uint64_t slot = 0; slot < size; ++slot) {
    const auto place = static_cast<std::uint32_t>(slot);
    // slot_of() follows a hash's high bits, so the slots of both tables are intervals of the same line.
    const auto first = static_cast<std::uint32_t>(slot * before_size / size);
    const auto last = static_cast<std::uint32_t>(((slot + 1) * before_size - 1) / size);
    for (std::size_t age = SlotHistory::kMost; history != nullptr && age-- > 0;) {
      for (std::uint32_t s = first; s <= last; ++s)
        out->pass_on(place, history->owners_before(s)[age], now.of(place));
    }
    for (std::uint32_t s = first; s <= last; ++s) out->pass_on(place, before.of(s), now.of(place));
  }
  return out;
}

}  // namespace penstock

// The peers of one kind by id: what was observed of each, and its live stream. A peer stays known after its
// stream ended. Two streams with one id never count at once: the newer displaces the older.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock {

/// Observed has `id` and `connected`. The lock is held for pointer moves and copies only; any thread.
template <class Stream, class Observed>
class PeerTable {
 public:
  /// More ids than any site has (DESIGN §8: 5,000 nodes) can only be a fault or an attack.
  static constexpr std::size_t kMaxPeers = 20'000;

  struct Connected {
    bool accepted = false;              // false: the table is full
    std::shared_ptr<Stream> displaced;  // the older stream with this id, for the caller to end
  };

  Connected connect(const std::shared_ptr<Stream>& stream, Observed observed) {
    const std::lock_guard lock(mutex_);
    const auto known = peers_.find(observed.id);
    if (known == peers_.end() && peers_.size() >= kMaxPeers) return {};
    observed.connected = true;
    Entry& entry = known == peers_.end() ? peers_[observed.id] : known->second;
    Connected result{true, std::exchange(entry.stream, stream)};
    entry.observed = std::move(observed);
    return result;
  }

  /// Calls `change(Observed&)` if `stream` is still the peer's current one.
  template <class F>
  void update(const std::string& id, const Stream* stream, F change) {
    const std::lock_guard lock(mutex_);
    const auto known = peers_.find(id);
    if (known != peers_.end() && known->second.stream.get() == stream) change(known->second.observed);
  }

  /// False when a newer stream has taken its place.
  bool disconnect(const std::string& id, const Stream* stream) {
    std::shared_ptr<Stream> last;  // released after the lock
    const std::lock_guard lock(mutex_);
    const auto known = peers_.find(id);
    if (known == peers_.end() || known->second.stream.get() != stream) return false;
    last = std::move(known->second.stream);
    known->second.stream.reset();
    known->second.observed.connected = false;
    return true;
  }

  /// Calls `change(Observed&)` for every peer.
  template <class F>
  void each(F change) {
    const std::lock_guard lock(mutex_);
    for (auto& [id, entry] : peers_) change(entry.observed);
  }

  /// Forgets a peer that is not connected.
  void forget(std::string_view id) {
    const std::lock_guard lock(mutex_);
    const auto known = peers_.find(id);
    if (known != peers_.end() && !known->second.stream) peers_.erase(known);
  }

  [[nodiscard]] std::vector<std::shared_ptr<Stream>> streams() const {
    const std::lock_guard lock(mutex_);
    std::vector<std::shared_ptr<Stream>> out;
    for (const auto& [id, entry] : peers_) {
      if (entry.stream) out.push_back(entry.stream);
    }
    return out;
  }

  [[nodiscard]] std::optional<Observed> find(std::string_view id) const {
    const std::lock_guard lock(mutex_);
    const auto known = peers_.find(id);
    if (known == peers_.end()) return std::nullopt;
    return known->second.observed;
  }

  [[nodiscard]] std::vector<Observed> all() const {
    const std::lock_guard lock(mutex_);
    std::vector<Observed> out;
    out.reserve(peers_.size());
    for (const auto& [id, entry] : peers_) out.push_back(entry.observed);
    return out;
  }

 private:
  struct Entry {
    std::shared_ptr<Stream> stream;  // null while disconnected
    Observed observed;
  };

  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> peers_;
};

}  // namespace penstock

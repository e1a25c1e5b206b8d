// Own traffic: what the gateway itself asks backends through its data path, and what they answer. Askers
// (dataplane/probe) build whole frames; the workers send them between bursts and hand back what comes to the
// asker's ports.
//
// Theory of operation: an asker has a channel: a range of ports and, with each worker, a ring each way. A
// frame leaves by the worker into whose ring it was put; the answer arrives at whichever worker the NIC
// chooses. A worker looks for answers only among packets that are for no VIP. All rings are bounded: a flood
// to the ports costs its sender's answers, nothing else.
//
// heard() is how an asker tells silence from deafness: everything that had arrived at this gateway by that
// time is in the rings, or was dropped for want of room (InRing::dropped).
//
// Channels are added before the workers run. Otherwise each part belongs to the thread that it names.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/own/own_rings.h"
#include "penstock/base/units.h"

namespace penstock {

inline constexpr std::size_t kMaxOwnChannels = 4;
inline constexpr std::size_t kOwnRingSlots = 512;

struct OwnPorts {
  std::uint16_t first = 0;
  std::uint16_t last = 0;

  [[nodiscard]] bool hold(std::uint16_t port) const noexcept { return port >= first && port <= last; }
};

/// A worker's end.
class OwnWorker {
 public:
  enum class Verdict : std::uint8_t { kNotOurs, kTaken, kNoRoom };

  /// A frame that is for no VIP, from the Ethernet header on; `length` bytes of it lie at `frame`.
  [[gnu::cold]] Verdict take(const std::uint8_t* frame, std::size_t length, Nanoseconds now) noexcept;

  /// Rings to send from, one a channel.
  [[nodiscard]] std::span<OutRing* const> out() const noexcept { return std::span(out_).first(channels_); }

  /// A poll of all queues that began then is over. emptied: none of them was left with packets.
  void polled(Nanoseconds began, bool emptied) noexcept {
    if (emptied) [[likely]] {
      full_polls_ = 0;
      heard_ns_.store(began.count(), std::memory_order_release);  // after what it put into the rings
      return;
    }
    polled_full(began);
  }
  /// Any thread.
  [[nodiscard]] Nanoseconds heard() const noexcept {
    return Nanoseconds(heard_ns_.load(std::memory_order_acquire));
  }

 private:
  friend class OwnTraffic;
  // What lay in the longest receive ring (AF_XDP's, 2048) has been taken after so many bursts of 32.
  static constexpr unsigned kPollsToEmpty = 64;

  [[gnu::cold]] void polled_full(Nanoseconds began) noexcept;

  std::size_t channels_ = 0;
  std::array<OwnPorts, kMaxOwnChannels> ports_{};
  std::array<OutRing*, kMaxOwnChannels> out_{};
  std::array<InRing*, kMaxOwnChannels> in_{};
  unsigned full_polls_ = 0;
  Nanoseconds full_since_;
  alignas(64) std::atomic<std::uint64_t> heard_ns_{0};
};

/// An asker's end.
class OwnChannel {
 public:
  OwnChannel(std::size_t workers, OwnPorts ports);

  [[nodiscard]] std::size_t workers() const noexcept { return out_.size(); }
  [[nodiscard]] const OwnPorts& ports() const noexcept { return ports_; }
  [[nodiscard]] OutRing& out(std::size_t worker) noexcept { return *out_[worker]; }
  [[nodiscard]] InRing& in(std::size_t worker) noexcept { return *in_[worker]; }
  /// Of all workers; read it, then drain the rings: what came before is among what was drained.
  [[nodiscard]] Nanoseconds heard() const noexcept;
  /// Answers for which the rings had no room. Any thread.
  [[nodiscard]] std::uint64_t dropped() const noexcept;

 private:
  friend class OwnTraffic;
  const OwnPorts ports_;
  std::vector<std::unique_ptr<OutRing>> out_;
  std::vector<std::unique_ptr<InRing>> in_;
  std::vector<const OwnWorker*> ends_;
};

class OwnTraffic {
 public:
  explicit OwnTraffic(std::size_t workers);

  /// At most kMaxOwnChannels, their ports apart from each other; before the workers run.
  OwnChannel& add(OwnPorts ports);
  [[nodiscard]] OwnWorker& worker(std::size_t index) noexcept { return *workers_[index]; }

 private:
  std::vector<std::unique_ptr<OwnWorker>> workers_;
  std::vector<std::unique_ptr<OwnChannel>> channels_;
};

}  // namespace penstock

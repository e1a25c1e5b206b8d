// Which addresses have fallen silent, and whether it is they or this gateway's own link.
//
// Theory of operation: an address that has answered once is expected to go on. Two rounds lost in a row make
// it a suspect. When more than half of those that were heard (three at least, else nobody can tell) are
// suspects at the same time, the gateway doubts its own link: silence alone then says nothing. The doubt ends
// when most are heard again; or when only some have been for kLongestDoubt: the link works, and those that
// are silent over it are out of its reach, whatever the reason. An address that has been silent for
// kGivenUpAfter without doubt is dead and no longer counts: hosts that die one after the other never make a
// gateway doubt.
//
// One thread; never an earlier time.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "penstock/base/units.h"

namespace penstock {

inline constexpr unsigned kLossRounds = 20;  // probe loss is that of so many

struct AddressSilence {
  bool heard = false;  // ever
  bool given_up = false;
  std::uint16_t lost = 0;      // rounds in a row
  std::uint16_t answered = 0;  // rounds in a row since the last loss
  std::uint8_t rounds = 0;     // since it was heard first, at most kLossRounds
  std::uint32_t losses = 0;    // of the last rounds, one bit each
  Nanoseconds silent_since{};
  Nanoseconds counted_at{};

  [[nodiscard]] bool is_suspect() const noexcept { return heard && !given_up && lost >= 2; }
  [[nodiscard]] unsigned loss_percent() const noexcept {
    constexpr std::uint32_t kMask = (1U << kLossRounds) - 1;
    return rounds == 0 ? 0 : static_cast<unsigned>(std::popcount(losses & kMask)) * 100 / rounds;
  }
};

class LinkDoubt {
 public:
  static constexpr std::size_t kFewest = 3;  // addresses that make a majority
  static constexpr Nanoseconds kShortestDoubt = Nanoseconds::from_millis(100);
  static constexpr Nanoseconds kLongestDoubt = Nanoseconds::from_seconds(5);
  static constexpr Nanoseconds kGivenUpAfter = Nanoseconds::from_seconds(1);

  void answered(AddressSilence& address, Nanoseconds now) noexcept;
  void lost(AddressSilence& address, Nanoseconds now) noexcept;
  /// The address is asked no more.
  void forget(const AddressSilence& address) noexcept { subtract(address); }

  enum class Change : std::uint8_t {
    kNone,
    kBegan,
    kEnded,    // forgive() each address: its silence has said nothing, and counts anew
    kBelieved  // give_up() each address: what was doubted is so
  };
  Change update(Nanoseconds now) noexcept;
  void forgive(AddressSilence& address) noexcept;
  void give_up(AddressSilence& address) noexcept;
  [[nodiscard]] bool doubts() const noexcept { return doubts_; }

 private:
  void add(const AddressSilence& address) noexcept;
  void subtract(const AddressSilence& address) noexcept;

  std::size_t expected_ = 0;  // heard once and not given up
  std::size_t suspects_ = 0;
  bool doubts_ = false;
  Nanoseconds began_{};
  Nanoseconds heard_none_at_{};  // all were suspects last, or the doubt began
};

}  // namespace penstock

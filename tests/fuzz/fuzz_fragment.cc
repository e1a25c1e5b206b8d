// The fragment cache against a model that keeps every part of four datagrams (few enough that none
// is ever evicted; with an odd first byte there are 200, and the model only counts). Input: that byte, then
// operations of six bytes: datagram, milliseconds that pass (in units of 16), offset / 8, length (both 2
// bytes, little-endian; the top bit of the length: more fragments follow).
#include <array>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "dataplane/fragment/fragment_cache.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

using enum FragmentVerdict;
constexpr std::array<std::uint8_t, 32> kKey{1, 2, 3};
constexpr std::uint8_t kFirstNowhere =
    200;  // datagrams from here on go nowhere: their ports are no service's

struct Model {
  Nanoseconds born{};
  std::vector<std::pair<std::uint32_t, std::uint32_t>> parts;
  std::uint32_t total = 0;
  enum { kWaiting, kKnownFlow, kNowhere, kDead } state = kWaiting;
};

// The parts do not overlap.
bool is_complete(const Model& m) {
  std::uint32_t bytes = 0;
  for (const auto& [begin, end] : m.parts) bytes += end - begin;
  return m.total != 0 && bytes == m.total;
}

// Made once, for its 1.7 MB cost more than an input; what one input left has long timed out when the next
// begins.
struct Worker {
  FragmentCache cache{kKey};
  Nanoseconds now = Nanoseconds::from_seconds(1000);
};

Worker& worker() {
  static Worker one;
  return one;
}

class Run {
 public:
  explicit Run(bool many) : many_(many) {
    now_ = now_ + Nanoseconds::from_seconds(10);
    cache_.expire(now_);
    require(cache_.held() == 0, "nothing waits longer than the timeout");
    lost_before_ = cache_.lost();
  }

  void step(Input& in) {
    const std::uint8_t byte = in.u8();
    now_ = now_ + Nanoseconds::from_millis(in.u8() * 16U);
    const std::uint32_t offset = 8U * (in.u16() & 0x1fff);
    const std::uint16_t word = in.u16();
    const bool more = (word & 0x8000) != 0;
    FragmentPart part{byte, offset, word & 0x7fffU, more};
    if (more) part.length &= ~7U;
    if (part.length == 0 || part.end() > kMaxDatagram) return;  // not sound: parse_odd refuses it
    const std::uint8_t number = many_ ? byte % 200 : byte % 4;
    part.id = number;
    cache_.expire(now_);
    handle(number, part, byte >= kFirstNowhere);
    require(cache_.held() <= kHeldFragments, "what waits is bounded");
    require(accepted_ == released_ + (cache_.lost() - lost_before_) + cache_.held(),
            "held = released + lost + waiting");
  }

 private:
  void handle(std::uint8_t number, const FragmentPart& part, bool nowhere) {
    // In the model of many, two sources share sets and pools.
    const std::array<std::uint8_t, 8> addresses{10,  0, 0,   static_cast<std::uint8_t>(number / 100),
                                                203, 0, 113, 10};
    const auto [verdict, datagram] = cache_.admit({addresses.data(), part.id, 17, false}, part, now_);
    require(datagram != nullptr, "a fragment belongs to a datagram");
    if (!many_) require(verdict == expected(number, part), "the cache decides as the model does");
    require(verdict != kFirst || part.is_first(), "only a first fragment is the first");
    if (verdict == kKnown) require(datagram->flow().hash == number, "a fragment follows its own datagram");
    if (verdict == kWaits) hold(number, *datagram);
    if (verdict == kFirst && nowhere) cache_.refuse(*datagram);
    if (verdict == kFirst && !nowhere) {
      cache_.learn(*datagram, {number, 1, 2});
      release(number, *datagram);
    }
    if (verdict == kFirst && !many_) models_[number].state = nowhere ? Model::kNowhere : Model::kKnownFlow;
    if (verdict != kFirst && verdict != kKnown) return;
    cache_.finish(*datagram);
    if (!many_ && is_complete(models_[number])) {
      models_.erase(number);
    }
  }

  FragmentVerdict expected(std::uint8_t number, const FragmentPart& part) {
    auto found = models_.find(number);
    if (found != models_.end() && found->second.born + kFragmentTimeout <= now_) {
      models_.erase(found);
      found = models_.end();
    }
    if (found == models_.end()) {
      found = models_.try_emplace(number).first;
      found->second.born = now_;
    }
    Model& m = found->second;
    if (m.state == Model::kDead) return kOverlap;
    const std::pair range{part.offset, part.end()};
    const bool again = std::ranges::find(m.parts, range) != m.parts.end();
    bool overlaps = false, behind = false;
    for (const auto& [begin, end] : m.parts) {
      overlaps |= !again && begin < part.end() && part.offset < end;
      behind |= end > part.end();
    }
    const bool second_end =
        !part.more && ((m.total != 0 && m.total != part.end()) || behind || (again && m.total == 0));
    const bool beyond_end = part.more && m.total != 0 && part.end() >= m.total;
    if (overlaps || second_end || beyond_end) {
      m.state = Model::kDead;
      return kOverlap;
    }
    if (!again) {
      if (m.parts.size() == kSeenRanges) return kRefused;
      m.parts.push_back(range);
      if (!part.more) m.total = part.end();
    }
    if (m.state == Model::kNowhere) return kRefused;
    if (m.state == Model::kKnownFlow) return kKnown;
    return part.is_first() ? kFirst : kWaits;
  }

  void hold(std::uint8_t number, Datagram& datagram) {
    const std::array<std::uint8_t, 3> bytes{number, static_cast<std::uint8_t>(serial_),
                                            static_cast<std::uint8_t>(serial_ >> 8)};
    Buffer frame(bytes);
    if (!cache_.hold(datagram, {frame.frame(), 3, 0, 0, {}}, now_)) return;
    ++accepted_;
    ++serial_;
  }

  void release(std::uint8_t number, Datagram& datagram) {
    std::optional<std::uint32_t> before;
    for (std::size_t count = 0;; ++count) {
      const HeldFragment held = cache_.release(datagram);
      if (held.bytes == nullptr) return;
      ++released_;
      require(count < kHeldPerDatagram, "few wait for one datagram");
      require(held.length == 3 && held.bytes[0] == number, "what waited for a datagram is its own");
      const auto serial = static_cast<std::uint32_t>(held.bytes[1] | held.bytes[2] << 8);
      require(!before || *before < serial, "what waited leaves in the order in which it came");
      before = serial;
    }
  }

  bool many_;
  FragmentCache& cache_ = worker().cache;
  Nanoseconds& now_ = worker().now;
  std::map<std::uint8_t, Model> models_;
  std::uint64_t accepted_ = 0;
  std::uint64_t released_ = 0;
  std::uint64_t lost_before_;
  std::uint16_t serial_ = 0;
};

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::fuzz::Input in({data, size});
  penstock::fuzz::Run run(in.u8() % 2 != 0);
  while (!in.empty()) run.step(in);
  return 0;
}

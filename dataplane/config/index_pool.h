// Small dense numbers for named things, stable while the thing lives and not given to another before its
// quarantine is over. Control thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <queue>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "penstock/base/units.h"

namespace penstock {

struct NamedIndex {
  std::string name;
  std::uint32_t index = 0;
  bool operator==(const NamedIndex&) const = default;
};

class IndexPool {
 public:
  explicit IndexPool(std::uint32_t capacity) : capacity_(capacity) {}

  /// Of an unused pool: these names hold these indexes as if they had been retired until then, so that each
  /// finds its own again. False, and nothing is held, if a name or index is there twice or does not fit.
  [[nodiscard]] bool restore(std::span<const NamedIndex> names, Nanoseconds until);

  /// The index of `name`: the one that it has, or had and has not lost yet, or a free one. Nothing when all
  /// are in use or in quarantine. Provisional until commit().
  [[nodiscard]] std::optional<std::uint32_t> claim(const std::string& name);

  /// Keeps the claims since the last commit; returns those indexes among them that changed hands.
  std::vector<std::uint32_t> commit();
  /// Undoes the claims since the last commit.
  void roll_back();

  /// `name` is gone: its index is kept for it until `until` (or longer, if an earlier retirement said so),
  /// then free. Unknown names are ignored.
  void retire(const std::string& name, Nanoseconds until);

  /// Frees what has been in quarantine long enough.
  void advance(Nanoseconds now);

  /// One more than the greatest index ever claimed.
  [[nodiscard]] std::uint32_t bound() const noexcept { return next_; }
  [[nodiscard]] std::size_t quarantined() const noexcept { return quarantined_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

  /// Grows with every commit() that gave a name an index. Since the last growth no index has a new meaning.
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }
  /// visit(const std::string& name, std::uint32_t index) for all that hold one, retired ones included.
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& [name, holding] : holdings_) visit(name, holding.index);
  }

 private:
  struct Holding {
    std::uint32_t index = 0;
    bool retired = false;
    Nanoseconds until{};
  };
  struct Retirement {
    Nanoseconds until;
    std::string name;
    bool operator>(const Retirement& other) const { return until > other.until; }
  };
  struct Claim {
    std::string name;
    bool revived;
  };

  std::uint32_t capacity_;
  std::uint32_t next_ = 0;
  std::size_t quarantined_ = 0;
  std::uint64_t version_ = 0;
  std::unordered_map<std::string, Holding> holdings_;
  std::priority_queue<Retirement, std::vector<Retirement>, std::greater<>> retirements_;
  std::deque<std::uint32_t> free_;
  std::vector<Claim> claims_;
};

}  // namespace penstock

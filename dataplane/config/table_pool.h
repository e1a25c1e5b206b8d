// Maglev tables by content: services with the same backends share a base, with the same weights a table too.
// Building one is most of what a configuration costs, and a new flow's slot is found in a cache sooner when a
// thousand services look into one table. Control thread only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/hash/maglev.h"
#include "penstock/base/result.h"

namespace penstock {

class TablePool {
 public:
  /// Errors as MaglevBase::build.
  Result<std::shared_ptr<const MaglevBase>> base(std::span<const MaglevBackend> backends, std::uint32_t size);

  /// base: of these backends, in any order. Errors as MaglevTable::build.
  Result<std::shared_ptr<const MaglevTable>> table(const MaglevBase& base,
                                                   std::span<const MaglevBackend> backends);

 private:
  using Digest = std::pair<std::uint64_t, std::uint64_t>;  // 128 bits: nobody meets two alike by chance

  // Remembers what somebody else owns; forgets, now and then, what nobody does any more.
  template <class Table>
  struct Shelf {
    std::map<Digest, std::weak_ptr<const Table>> tables;
    std::size_t clean_at = 64;

    void put(const Digest& digest, const std::shared_ptr<const Table>& table);
  };

  static Digest digest_of(std::uint32_t size, const std::vector<std::uint64_t>& content);

  Shelf<MaglevBase> bases_;
  Shelf<MaglevTable> tables_;
};

}  // namespace penstock

#include "dataplane/config/table_pool.h"

#include <algorithm>

#include "dataplane/hash/flow_hash.h"

namespace penstock {

namespace {

// All services draw from one family of tables. A flow's hash covers its VIP and port, so that equal tables
// still spread the services' flows independently.
constexpr std::uint64_t kTableSeed = 0x70656E73746F636B;  // "penstock"

}  // namespace

TablePool::Digest TablePool::digest_of(std::uint32_t size, const std::vector<std::uint64_t>& content) {
  const XXH128_hash_t hash =
      XXH3_128bits_withSeed(content.data(), content.size() * sizeof content.front(), size);
  return {hash.high64, hash.low64};
}

template <class Table>
void TablePool::Shelf<Table>::put(const Digest& digest, const std::shared_ptr<const Table>& table) {
  tables[digest] = table;
  if (tables.size() < clean_at) return;
  std::erase_if(tables, [](const auto& entry) { return entry.second.expired(); });
  clean_at = 2 * tables.size() + 64;
}

Result<std::shared_ptr<const MaglevBase>> TablePool::base(std::span<const MaglevBackend> backends,
                                                          std::uint32_t size) {
  std::vector<std::uint64_t> content;
  content.reserve(backends.size());
  for (const MaglevBackend& backend : backends) content.push_back(backend.identity);
  std::ranges::sort(content);  // a base does not depend on the order of the list
  const Digest digest = digest_of(size, content);
  if (const auto known = bases_.tables.find(digest); known != bases_.tables.end()) {
    if (auto base = known->second.lock(); base != nullptr && base->fits(backends)) return base;
  }
  auto built = MaglevBase::build(backends, size, kTableSeed);
  if (built) bases_.put(digest, *built);
  return built;
}

Result<std::shared_ptr<const MaglevTable>> TablePool::table(const MaglevBase& base,
                                                            std::span<const MaglevBackend> backends) {
  std::vector<std::uint64_t> content;
  content.reserve(2 * backends.size());
  for (const MaglevBackend& backend : backends) {
    content.push_back(backend.identity);
    content.push_back(backend.weight);
  }
  const Digest digest = digest_of(base.size(), content);
  if (const auto known = tables_.tables.find(digest); known != tables_.tables.end()) {
    if (auto table = known->second.lock()) return table;
  }
  auto built = MaglevTable::build(base, backends);
  if (!built) return built.error();
  auto table = std::make_shared<const MaglevTable>(std::move(*built));
  tables_.put(digest, table);
  return table;
}

}  // namespace penstock

#include "perf/kpi/maglev_hashing.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "controlplane/simulation/random.h"
#include "dataplane/hash/maglev.h"

namespace penstock::kpi {
namespace {

constexpr std::uint64_t kSeed = 7;

class MaglevHashing final : public simulation::FlowHashing {
 public:
  explicit MaglevHashing(std::span<const std::uint32_t> configured) : backends_(configured.size()) {
    for (std::size_t i = 0; i < backends_.size(); ++i) {
      backends_[i] = {.identity = simulation::mix(i), .base_weight = configured[i], .weight = configured[i]};
    }
    auto base = MaglevBase::build(backends_, choose_table_size(backends_.size()), kSeed);
    if (!base) end(base.error());
    base_ = std::move(*base);
    update(configured);
  }

  void update(std::span<const std::uint32_t> weights) override {
    bool any = false;
    for (std::size_t i = 0; i < backends_.size(); ++i) {
      backends_[i].weight = weights[i];
      any |= weights[i] != 0;
    }
    table_.reset();
    if (!any) return;
    auto table = MaglevTable::build(*base_, backends_);
    if (!table) end(table.error());
    table_ = std::move(*table);
  }

  [[nodiscard]] std::uint32_t pick(std::uint64_t flow_hash) const override {
    return table_ ? table_->owner(slot_of(flow_hash, table_->size())) : simulation::kNoBackend;
  }
  [[nodiscard]] std::uint32_t alternate(std::uint64_t flow_hash) const override {
    return table_ ? table_->alternate(slot_of(flow_hash, table_->size())) : simulation::kNoBackend;
  }

 private:
  [[noreturn]] static void end(const Error& error) {
    std::fprintf(stderr, "maglev: %s\n", error.text().c_str());
    std::abort();
  }

  std::vector<MaglevBackend> backends_;
  std::shared_ptr<const MaglevBase> base_;
  std::optional<MaglevTable> table_;
};

}  // namespace

std::unique_ptr<simulation::FlowHashing> make_maglev_hashing(std::span<const std::uint32_t> configured) {
  return std::make_unique<MaglevHashing>(configured);
}

}  // namespace penstock::kpi

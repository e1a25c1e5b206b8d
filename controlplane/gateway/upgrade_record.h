// Which upgrades were begun, on disk, so that a restarted agent repeats none and goes on with one that was
// under way. File STATE_DIR/upgrades: one line "ID PHASE DETAIL" per upgrade, the newest last, at most kKept.
// Replaced as a whole. One thread per object.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/gateway/upgrade_policy.h"
#include "penstock/base/result.h"

namespace penstock {

class UpgradeRecord {
 public:
  explicit UpgradeRecord(const std::string& state_dir) : path_(state_dir + "/upgrades") {}

  /// Reads the file; none is no error. A line that is not one of ours makes the whole file unbelievable.
  Status load();

  [[nodiscard]] bool knows(std::uint64_t id) const;
  /// The newest, or the state of none.
  [[nodiscard]] UpgradePolicy::State newest() const;

  /// Replaces the entry of this id, or appends one. On failure it is remembered in memory alone.
  Status put(const UpgradePolicy::State& state);

  static constexpr std::size_t kKept = 64;

 private:
  std::string path_;
  std::vector<UpgradePolicy::State> entries_;
};

}  // namespace penstock

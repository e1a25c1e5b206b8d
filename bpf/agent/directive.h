// What the control plane wants of this node, validated as a whole: a directive with one bad service changes
// nothing. And the last good one on disk, so that a host which restarts without a control plane serves as
// before.
//
// File ID.pb: "PENSNODE", CRC-32 (IEEE 802.3, little-endian) of what follows, serialised NodeDirective. It is
// replaced by rename after fsync, so a crash leaves the old one or the new one.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "bpf/agent/checks/check_spec.h"
#include "penstock/base/result.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace proto {
class NodeDirective;
}

using ProbeKey = std::array<std::uint8_t, 16>;

struct NodeServices {
  std::uint64_t generation = 0;
  std::set<VipKey> services;
  std::set<VipKey> searched;          // of `services`: those whose UDP flows are remembered
  std::optional<ProbeKey> probe_key;  // none: probes are not answered
  std::map<VipKey, std::string> ids;  // the control plane's names of `services`, where it told them
  std::map<VipPrefix, std::uint32_t> overheads;  // of the VIPs to whose packets encapsulation adds bytes
  std::vector<ServiceChecks> checks;             // of those services and NAT targets that have any

  /// What is in the directive but cannot be done here, and does no harm to the rest: one sentence each.
  [[nodiscard]] std::vector<std::string> refused() const;
  [[nodiscard]] std::set<VipPrefix> vips() const;
  bool operator==(const NodeServices&) const = default;
};

/// Checks of one node. What is beyond is not run, and said in refused().
inline constexpr std::size_t kMaxNodeChecks = 4096;

/// The encapsulation of a service is not part of the result: GUE and IP-in-IP are taken at all times, so that
/// no packet is lost while gateways change from one to the other. GRE and VXLAN are left to the kernel's own
/// devices.
Result<NodeServices> validate(const proto::NodeDirective& directive);

Status save_directive(const std::string& path, const proto::NodeDirective& directive);

/// Nothing when there is no file; an error when there is one that cannot be trusted.
Result<std::optional<NodeServices>> load_directive(const std::string& path);

}  // namespace penstock

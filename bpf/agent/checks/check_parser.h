// From a directive's Check messages to CheckSpecs: defaults filled in, everything within the limits of
// penstock/config/health_limits.h and fit for what it will be put into (request lines, headers, file names).
#pragma once

#include <string>
#include <vector>

#include "bpf/agent/checks/check_spec.h"
#include "penstock/base/result.h"

namespace google::protobuf {
template <typename Element>
class RepeatedPtrField;
}

namespace penstock {
namespace proto {
class Check;
}

/// Whose checks they are, and what they share.
struct CheckOwner {
  CheckedService of;
  std::uint32_t hold_ms = 0;  // 0: the default
  std::uint32_t max_hold_ms = 0;
};

/// A mistake is an error that names its field, `field` + "checks[1].port". A kind that this agent does not
/// know is none: that check becomes kUnsupported.
Result<std::vector<CheckSpec>> parse_checks(const google::protobuf::RepeatedPtrField<proto::Check>& checks,
                                            const CheckOwner& owner, const std::string& field);

}  // namespace penstock

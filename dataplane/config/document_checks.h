// The parts of validate() (document.h) that stand in files of their own. Each appends to `problems` what it
// refuses, with the field's path, and fills its part of the document. Private to this room.
#pragma once

#include <string>
#include <vector>

#include "dataplane/config/document.h"

namespace penstock {

using Problems = std::vector<Error>;

/// "services[3]"
[[nodiscard]] std::string indexed(const std::string& list, std::size_t index);

/// "'10.0.0.300' is ...": why this cannot be the address of a VIP or a backend; empty if it can.
[[nodiscard]] std::string refusal_of(const IpAddr& address, const std::string& text);

/// VIP or VIP prefix, protocol, port or ports. Afterwards out.vip is unspecified if any of it was refused.
void check_key(const proto::Service& in, VipKey& out, const std::string& path, Problems& problems);

/// Encapsulation and all that depends on it, of the service and of its backends, whose common fields
/// (addresses above all) `out` has already. Needs `out.key`.
void check_forwarding(const proto::Service& in, ServiceDocument& out, const std::string& path,
                      Problems& problems);

/// Source affinity, QUIC connection IDs, one-shot. Needs `out.key`, `out.encap` and the backends.
void check_balancing(const proto::Service& in, ServiceDocument& out, const std::string& path,
                     Problems& problems);

/// Health: all of it. Needs `out.key`.
void check_health(const proto::Service& in, ServiceDocument& out, const std::string& path,
                  Problems& problems);

/// What no service can tell by itself: ids and keys that occur twice, port ranges that overlap, backends that
/// are VIPs.
void check_across_services(const std::vector<ServiceDocument>& services, Problems& problems);

}  // namespace penstock

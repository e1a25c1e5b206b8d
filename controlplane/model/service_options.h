// The parts of a service document that most services leave out:
//
//   "forwarding":{"udp_checksum":false,"gre_key":7,"vxlan_vni":42,"too_big":"reply","proxy_protocol":true}
//   "affinity":{"ipv4_prefix":24,"ipv6_prefix":56}
//   "quic":{"configs":[{"rotation":0,"server_id_length":4,"nonce_length":6,"key":"00112233…"}]}
//
// Whether they suit the rest of the service is service_rules.h.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "controlplane/model/desired_state.h"
#include "controlplane/model/object_reader.h"

namespace penstock {

/// Each reads one member of `service`, or gives the default when it is missing. "affinity" also holds what
/// workload_document.h reads into `preference`.
[[nodiscard]] Forwarding parse_forwarding(ObjectReader& service, Problems& problems);
[[nodiscard]] SourceAffinity parse_affinity(ObjectReader& service, Preference& preference,
                                            Problems& problems);
/// A key is 32 hexadecimal digits, or the fingerprint of one of the keys in `known`, which then stays.
[[nodiscard]] std::vector<QuicConfig> parse_quic(ObjectReader& service, Problems& problems,
                                                 const std::vector<QuicConfig>& known);

/// Whether keys are written out (for the store) or only named by their fingerprint (for everyone else).
enum class Secrets : std::uint8_t { kHidden, kWritten };

/// Only what differs from the default.
[[nodiscard]] nlohmann::json to_json(const Forwarding& forwarding);
[[nodiscard]] nlohmann::json to_json(const SourceAffinity& affinity, const Preference& preference);
[[nodiscard]] nlohmann::json to_json(const std::vector<QuicConfig>& quic, Secrets secrets);

}  // namespace penstock

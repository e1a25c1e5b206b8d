// The words and texts of a service or a gateway in JSON, on the command line and in metrics.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "controlplane/model/desired_state.h"

namespace penstock {

/// "gue, ipip, gre, vxlan, l2dsr or nat"
inline constexpr const char* kEncapNames = "gue, ipip, gre, vxlan, l2dsr or nat";
/// "tcp, udp, sctp or any"
inline constexpr const char* kProtocolNames = "tcp, udp, sctp or any";

[[nodiscard]] std::string_view name_of(Encap encap);
[[nodiscard]] std::optional<Encap> encap_named(std::string_view name);
/// "tcp", "off", "tcp+udp"
[[nodiscard]] std::string_view name_of(SecondChance chance);
[[nodiscard]] std::optional<SecondChance> second_chance_named(std::string_view name);
/// "tcp", "http", "https", "grpc", "udp", "script"
[[nodiscard]] std::string_view name_of(CheckType type);
[[nodiscard]] std::optional<CheckType> check_type_named(std::string_view name);
/// "auto", "off", "always"
[[nodiscard]] std::string_view name_of(DirectChecks direct);
[[nodiscard]] std::optional<DirectChecks> direct_checks_named(std::string_view name);
/// "use_all", "reset", "drop"
[[nodiscard]] std::string_view name_of(AllDown all_down);
[[nodiscard]] std::optional<AllDown> all_down_named(std::string_view name);
/// "keep", "reset"
[[nodiscard]] std::string_view name_of(DrainPolicy policy);
[[nodiscard]] std::optional<DrainPolicy> drain_policy_named(std::string_view name);
/// "", "fast", "normal"
[[nodiscard]] std::string_view name_of(BfdProfile profile);
[[nodiscard]] std::optional<BfdProfile> bfd_profile_named(std::string_view name);
/// "static", "least-load", "latency", "cost", "energy", "custom"
[[nodiscard]] std::string_view name_of(WeightPolicyKind kind);
[[nodiscard]] std::optional<WeightPolicyKind> policy_kind_named(std::string_view name);
/// "auto", "latency-sensitive", "throughput", "batch"
[[nodiscard]] std::string_view name_of(WorkloadClass work);
[[nodiscard]] std::optional<WorkloadClass> workload_class_named(std::string_view name);
/// Its inverse is VipKey::protocol_text().
[[nodiscard]] std::optional<std::uint8_t> protocol_named(std::string_view name);

/// The ports of a VipKey.
struct PortRange {
  std::uint16_t first = 0;  // 0 = every port
  std::uint16_t last = 0;   // 0 = `first` alone
};

/// "8000-8999" or "*"; nothing when it is neither. One port is a number, not a text.
[[nodiscard]] std::optional<PortRange> ports_from_text(std::string_view text);

/// Bytes as lower-case hexadecimal digits, and back; nothing for an odd number of digits or another
/// character.
[[nodiscard]] std::string hex(const std::uint8_t* bytes, std::size_t size);
[[nodiscard]] std::optional<std::vector<std::uint8_t>> bytes_from_hex(std::string_view digits);

/// Names a key without telling it: "sha256:" and the first 16 digits of its SHA-256. Equal keys have equal
/// fingerprints, so that an operator can compare gateways and servers.
[[nodiscard]] std::string fingerprint(const QuicKey& key);

}  // namespace penstock

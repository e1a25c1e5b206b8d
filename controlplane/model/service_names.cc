#include "controlplane/model/service_names.h"

#include <openssl/sha.h>

#include <charconv>

namespace penstock {
namespace {

template <class Value>
struct Named {
  Value value;
  std::string_view name;
};

constexpr Named<Encap> kEncaps[] = {{Encap::kGue, "gue"},     {Encap::kIpip, "ipip"},   {Encap::kGre, "gre"},
                                    {Encap::kVxlan, "vxlan"}, {Encap::kL2dsr, "l2dsr"}, {Encap::kNat, "nat"}};
constexpr Named<SecondChance> kSecondChances[] = {
    {SecondChance::kTcp, "tcp"}, {SecondChance::kOff, "off"}, {SecondChance::kTcpAndUdp, "tcp+udp"}};
constexpr Named<CheckType> kCheckTypes[] = {{CheckType::kTcp, "tcp"},     {CheckType::kHttp, "http"},
                                            {CheckType::kHttps, "https"}, {CheckType::kGrpc, "grpc"},
                                            {CheckType::kUdp, "udp"},     {CheckType::kScript, "script"}};
constexpr Named<DirectChecks> kDirectChecks[] = {
    {DirectChecks::kAuto, "auto"}, {DirectChecks::kOff, "off"}, {DirectChecks::kAlways, "always"}};
constexpr Named<AllDown> kAllDowns[] = {
    {AllDown::kUseAll, "use_all"}, {AllDown::kReset, "reset"}, {AllDown::kDrop, "drop"}};
constexpr Named<DrainPolicy> kDrainPolicies[] = {{DrainPolicy::kKeep, "keep"},
                                                 {DrainPolicy::kReset, "reset"}};
constexpr Named<BfdProfile> kBfdProfiles[] = {
    {BfdProfile::kDefault, ""}, {BfdProfile::kFast, "fast"}, {BfdProfile::kNormal, "normal"}};
constexpr Named<WeightPolicyKind> kPolicyKinds[] = {
    {WeightPolicyKind::kStatic, "static"},   {WeightPolicyKind::kLeastLoad, "least-load"},
    {WeightPolicyKind::kLatency, "latency"}, {WeightPolicyKind::kCost, "cost"},
    {WeightPolicyKind::kEnergy, "energy"},   {WeightPolicyKind::kCustom, "custom"}};
constexpr Named<WorkloadClass> kWorkloadClasses[] = {{WorkloadClass::kAuto, "auto"},
                                                     {WorkloadClass::kLatencySensitive, "latency-sensitive"},
                                                     {WorkloadClass::kThroughput, "throughput"},
                                                     {WorkloadClass::kBatch, "batch"}};

template <class Value, std::size_t n>
std::string_view name_in(const Named<Value> (&all)[n], Value value) {
  for (const Named<Value>& named : all) {
    if (named.value == value) return named.name;
  }
  return "";
}

template <class Value, std::size_t n>
std::optional<Value> value_in(const Named<Value> (&all)[n], std::string_view name) {
  for (const Named<Value>& named : all) {
    if (named.name == name) return named.value;
  }
  return std::nullopt;
}

/// 1–65535 without sign or leading zero; 0 for anything else.
std::uint16_t port_from(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), port);
  const bool whole = failed == std::errc() && end == text.data() + text.size() && text.front() != '0';
  return whole ? port : std::uint16_t{0};
}

}  // namespace

std::string_view name_of(Encap encap) { return name_in(kEncaps, encap); }
std::optional<Encap> encap_named(std::string_view name) { return value_in(kEncaps, name); }

std::string_view name_of(SecondChance chance) { return name_in(kSecondChances, chance); }
std::optional<SecondChance> second_chance_named(std::string_view name) {
  return value_in(kSecondChances, name);
}

std::string_view name_of(CheckType type) { return name_in(kCheckTypes, type); }
std::optional<CheckType> check_type_named(std::string_view name) { return value_in(kCheckTypes, name); }

std::string_view name_of(DirectChecks direct) { return name_in(kDirectChecks, direct); }
std::optional<DirectChecks> direct_checks_named(std::string_view name) {
  return value_in(kDirectChecks, name);
}

std::string_view name_of(AllDown all_down) { return name_in(kAllDowns, all_down); }
std::optional<AllDown> all_down_named(std::string_view name) { return value_in(kAllDowns, name); }

std::string_view name_of(DrainPolicy policy) { return name_in(kDrainPolicies, policy); }
std::optional<DrainPolicy> drain_policy_named(std::string_view name) {
  return value_in(kDrainPolicies, name);
}

std::string_view name_of(BfdProfile profile) { return name_in(kBfdProfiles, profile); }
std::optional<BfdProfile> bfd_profile_named(std::string_view name) { return value_in(kBfdProfiles, name); }

std::string_view name_of(WeightPolicyKind kind) { return name_in(kPolicyKinds, kind); }
std::optional<WeightPolicyKind> policy_kind_named(std::string_view name) {
  return value_in(kPolicyKinds, name);
}

std::string_view name_of(WorkloadClass work) { return name_in(kWorkloadClasses, work); }
std::optional<WorkloadClass> workload_class_named(std::string_view name) {
  return value_in(kWorkloadClasses, name);
}

std::optional<std::uint8_t> protocol_named(std::string_view name) {
  if (name == "tcp") return kProtoTcp;
  if (name == "udp") return kProtoUdp;
  if (name == "sctp") return kProtoSctp;
  if (name == "any") return kAnyProtocol;
  return std::nullopt;
}

std::optional<PortRange> ports_from_text(std::string_view text) {
  if (text == "*") return PortRange{};
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const PortRange range{port_from(text.substr(0, dash)), port_from(text.substr(dash + 1))};
  if (range.first == 0 || range.last <= range.first) return std::nullopt;
  return range;
}

std::string hex(const std::uint8_t* bytes, std::size_t size) {
  constexpr const char* kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < size; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 15];
  }
  return out;
}

std::optional<std::vector<std::uint8_t>> bytes_from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    const auto [end, failed] = std::from_chars(digits.data() + i, digits.data() + i + 2, byte, 16);
    if (failed != std::errc() || end != digits.data() + i + 2) return std::nullopt;
    out.push_back(byte);
  }
  return out;
}

std::string fingerprint(const QuicKey& key) {
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256(key.data(), key.size(), digest.data());
  return "sha256:" + hex(digest.data(), 8);
}

}  // namespace penstock

#include "controlplane/model/service_document.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controlplane/model/health_document.h"
#include "controlplane/model/health_rules.h"
#include "controlplane/model/object_reader.h"
#include "controlplane/model/rfc3339.h"
#include "controlplane/model/rules.h"
#include "controlplane/model/service_names.h"
#include "controlplane/model/service_rules.h"
#include "controlplane/model/workload_document.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

using nlohmann::json;

/// What can be neither a VIP nor a backend.
void check_host_address(const IpAddr& address, const std::string& key, ObjectReader& reader) {
  static constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (!address.is_unicast()) reader.complain(key, "'" + address.text() + "' is not a unicast address");
  if (address.is_v6() && std::equal(kMapped.begin(), kMapped.end(), address.data())) {
    reader.complain(key, "'" + address.text() + "' is an IPv4-mapped address: write it as IPv4");
  }
}

IpAddr parse_address(ObjectReader& reader, const std::string& key) {
  const auto written = reader.required_text(key);
  if (!written) return {};
  // inet_pton reads a C string: what follows a NUL would be accepted unseen.
  const auto address = written->find('\0') == std::string::npos
                           ? IpAddr::parse(*written)
                           : invalid("", "is not an IPv4 or IPv6 address");
  if (!address) {
    reader.complain(key, address.error().message);
    return {};
  }
  check_host_address(*address, key, reader);
  return *address;
}

void parse_key_vip(ObjectReader& reader, VipKey& key) {
  const auto written = reader.required_text("vip");
  if (!written) return;
  const auto vip = parse_vip(*written);
  if (!vip) return reader.complain("vip", vip.error().message);
  check_host_address(vip->first, "vip", reader);
  key.vip = vip->first;
  key.prefix_length = vip->length;
}

void parse_key_port(ObjectReader& reader, VipKey& key) {
  const json* value = reader.member("port");
  if (value == nullptr || value->is_number()) {
    key.port = static_cast<std::uint16_t>(reader.required_number("port", 1, 65535).value_or(0));
    return;
  }
  const auto range =
      value->is_string() ? ports_from_text(value->get_ref<const std::string&>()) : std::nullopt;
  if (!range) {
    return reader.complain("port", "must be 1–65535, a range such as \"8000-8999\", or \"*\" for every port");
  }
  key.port = range->first;
  key.last_port = range->last;
}

std::uint8_t parse_protocol(ObjectReader& reader) {
  const auto name = reader.required_text("protocol");
  if (!name) return 0;
  const auto protocol = protocol_named(*name);
  if (!protocol) reader.complain("protocol", std::string("must be ") + kProtocolNames);
  return protocol.value_or(0);
}

Encap parse_encap(ObjectReader& reader) {
  const auto encap = encap_named(reader.text_or("encap", "gue"));
  if (!encap) reader.complain("encap", std::string("must be ") + kEncapNames);
  return encap.value_or(Encap::kGue);
}

MacAddr parse_mac(ObjectReader& reader) {
  if (reader.member("mac") == nullptr) return {};
  const auto written = reader.required_text("mac");
  if (!written) return {};
  const auto mac = MacAddr::parse(*written);
  if (!mac || mac->text().size() != written->size()) {
    reader.complain("mac", "must be a MAC address such as 02:00:00:00:00:01");
    return {};
  }
  if (*mac == MacAddr{} || (mac->bytes[0] & 1) != 0) {
    reader.complain("mac", "must be the address of one host, not zero and not a group");
  }
  return *mac;
}

std::vector<std::uint8_t> parse_server_id(ObjectReader& reader) {
  if (reader.member("quic_server_id") == nullptr) return {};
  const auto written = reader.required_text("quic_server_id");
  if (!written) return {};
  auto id = bytes_from_hex(*written);
  if (id && !id->empty() && id->size() <= kMaxQuicServerIdLength) return std::move(*id);
  reader.complain("quic_server_id", "must be 1–" + std::to_string(kMaxQuicServerIdLength) +
                                        " octets, each as two hexadecimal digits");
  return {};
}

void parse_drain(ObjectReader& reader, Backend& out) {
  out.drain = reader.flag_or("drain", out.drain);
  if (reader.member("drain_deadline") != nullptr) {
    const auto written = reader.required_text("drain_deadline");
    const auto deadline = written ? unix_seconds_from_rfc3339(*written) : std::nullopt;
    if (written && !deadline) {
      reader.complain("drain_deadline", "must be a time in whole seconds such as 2026-11-28T10:00:00Z");
    }
    out.drain_deadline = deadline.value_or(0);
  }
  const auto policy = drain_policy_named(reader.text_or("drain_policy", "keep"));
  if (!policy) reader.complain("drain_policy", "must be keep or reset");
  out.drain_policy = policy.value_or(DrainPolicy::kKeep);
}

SecondChance parse_second_chance(ObjectReader& reader) {
  const auto chance = second_chance_named(reader.text_or("second_chance", "tcp"));
  if (!chance) reader.complain("second_chance", "must be tcp, off or tcp+udp");
  return chance.value_or(SecondChance::kTcp);
}

/// Whether there is such a policy is rules.h.
std::string parse_policy_id(ObjectReader& reader) {
  std::string id = reader.text_or("policy", kStaticPolicy);
  if (!is_valid_id(id.data(), id.size())) reader.complain("policy", "must be the id of a policy");
  return id;
}

IdleTimeouts parse_idle_timeouts(ObjectReader& service, Problems& problems) {
  IdleTimeouts out;
  const json* value = service.member("idle_timeouts");
  if (value == nullptr) return out;
  ObjectReader reader(*value, service.path("idle_timeouts"), problems);
  const auto seconds = [&](const char* key, std::uint32_t& field) {
    field = reader.number_or(key, 1, kMaxIdleTimeoutSeconds, field);
  };
  seconds("tcp_syn_seconds", out.tcp_syn_seconds);
  seconds("tcp_established_seconds", out.tcp_established_seconds);
  seconds("tcp_closing_seconds", out.tcp_closing_seconds);
  seconds("udp_seconds", out.udp_seconds);
  reader.finish();
  return out;
}

std::vector<Backend> parse_backends(ObjectReader& service, Problems& problems) {
  std::vector<Backend> out;
  const json* list = service.required_list("backends");
  if (list == nullptr) return out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto backend =
        parse_backend((*list)[i], service.path("backends") + "[" + std::to_string(i) + "]", problems);
    if (backend) out.push_back(std::move(*backend));
  }
  return out;
}

/// The service in `state` that `document` replaces, if any.
const Service* same_id(const json& document, const DesiredState& state) {
  const auto id = document.is_object() ? document.find("id") : document.end();
  if (!document.is_object() || id == document.end() || !id->is_string()) return nullptr;
  const auto found = state.services.find(id->get_ref<const std::string&>());
  return found == state.services.end() ? nullptr : found->second.get();
}

json port_json(const VipKey& key) { return key.is_one_port() ? json(key.port) : json(key.port_text()); }

}  // namespace

std::optional<Backend> parse_backend(const json& document, const std::string& path, Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  Backend out;
  out.id = reader.required_id();
  out.address = parse_address(reader, "address");
  out.weight = reader.number_or("weight", 0, kMaxWeight, out.weight);
  if (reader.member("weight_override") != nullptr) {
    out.weight_override = reader.required_number("weight_override", 0, kMaxWeight);
  }
  parse_drain(reader, out);
  out.maintenance = reader.flag_or("maintenance", out.maintenance);
  if (reader.member("port") != nullptr) {
    out.port = static_cast<std::uint16_t>(reader.required_number("port", 1, 65535).value_or(0));
  }
  out.mac = parse_mac(reader);
  out.quic_server_id = parse_server_id(reader);
  reader.finish();
  if (problems.size() != before) return std::nullopt;
  return out;
}

std::optional<Service> parse_service(const json& document, const std::string& path, Problems& problems,
                                     const Service* before) {
  static const std::vector<QuicConfig> kNone;
  const std::size_t problems_before = problems.size();
  ObjectReader reader(document, path, problems);
  Service out;
  out.id = reader.required_id();
  parse_key_vip(reader, out.key);
  out.key.protocol = parse_protocol(reader);
  parse_key_port(reader, out.key);
  out.encap = parse_encap(reader);
  out.table_size = reader.number_or("table_size", 0, kMaxTableSize, 0);
  out.idle_timeouts = parse_idle_timeouts(reader, problems);
  out.forwarding = parse_forwarding(reader, problems);
  out.affinity = parse_affinity(reader, out.preference, problems);
  out.quic = parse_quic(reader, problems, before == nullptr ? kNone : before->quic);
  out.one_shot = reader.flag_or("one_shot", false);
  out.second_chance = parse_second_chance(reader);
  out.health = parse_health(reader, problems);
  out.policy = parse_policy_id(reader);
  out.workload = parse_workload(reader, problems);
  out.backends = parse_backends(reader, problems);
  reader.finish();
  // What stands in for a field that was refused would only raise more complaints.
  if (problems.size() == problems_before) {
    check_options(out, path, problems);
    check_backends(out, path, problems);
    check_health(out, path, problems);
  }
  if (problems.size() != problems_before) return std::nullopt;
  return out;
}

std::optional<std::vector<Service>> parse_services(const json& document, Problems& problems,
                                                   const DesiredState* before) {
  const std::size_t problems_before = problems.size();
  ObjectReader reader(document, "", problems);
  const json* list = reader.member("services");
  reader.finish();
  if (list == nullptr || !list->is_array()) {
    reader.complain("services", "must be a list of services");
    return std::nullopt;
  }
  std::vector<Service> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto service = parse_service((*list)[i], "services[" + std::to_string(i) + "]", problems,
                                 before == nullptr ? nullptr : same_id((*list)[i], *before));
    if (service) out.push_back(std::move(*service));
  }
  // Indices in the rules' messages are those of `out`, which are the operator's only while nothing was left
  // out.
  if (problems.size() == problems_before) {
    check_services(out, problems);
    static const DesiredState kNothing;
    check_policies(out, before == nullptr ? kNothing : *before, problems);
  }
  if (problems.size() != problems_before) return std::nullopt;
  return out;
}

json to_json(const Backend& backend) {
  json out = {{"id", backend.id},
              {"address", backend.address.text()},
              {"weight", backend.weight},
              {"drain", backend.drain}};
  if (backend.port != 0) out["port"] = backend.port;
  if (backend.mac != MacAddr{}) out["mac"] = backend.mac.text();
  const auto& server_id = backend.quic_server_id;
  if (!server_id.empty()) out["quic_server_id"] = hex(server_id.data(), server_id.size());
  if (backend.drain_deadline != 0) out["drain_deadline"] = rfc3339(backend.drain_deadline);
  if (backend.drain && (backend.drain_deadline != 0 || backend.drain_policy != DrainPolicy::kKeep)) {
    out["drain_policy"] = name_of(backend.drain_policy);
  }
  if (backend.maintenance) out["maintenance"] = true;
  if (backend.weight_override) out["weight_override"] = *backend.weight_override;
  return out;
}

json to_json(const Service& service, Secrets secrets) {
  json backends = json::array();
  for (const Backend& backend : service.backends) backends.push_back(to_json(backend));
  const IdleTimeouts& idle = service.idle_timeouts;
  json out = {{"id", service.id},
              {"vip", service.key.vip_text()},
              {"protocol", service.key.protocol_text()},
              {"port", port_json(service.key)},
              {"encap", name_of(service.encap)},
              {"table_size", service.table_size},
              {"idle_timeouts",
               {{"tcp_syn_seconds", idle.tcp_syn_seconds},
                {"tcp_established_seconds", idle.tcp_established_seconds},
                {"tcp_closing_seconds", idle.tcp_closing_seconds},
                {"udp_seconds", idle.udp_seconds}}},
              {"backends", std::move(backends)}};
  if (service.forwarding != Forwarding{}) out["forwarding"] = to_json(service.forwarding);
  if (service.affinity != SourceAffinity{} || service.preference != Preference{}) {
    out["affinity"] = to_json(service.affinity, service.preference);
  }
  if (!service.quic.empty()) out["quic"] = to_json(service.quic, secrets);
  if (service.one_shot) out["one_shot"] = true;
  if (service.second_chance != SecondChance::kTcp) out["second_chance"] = name_of(service.second_chance);
  if (service.health != Health{}) out["health"] = to_json(service.health);
  if (service.policy != kStaticPolicy) out["policy"] = service.policy;
  if (service.workload != Workload{}) out["workload"] = to_json(service.workload);
  return out;
}

}  // namespace penstock

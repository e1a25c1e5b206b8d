#include "controlplane/model/service_document.h"

#include <map>
#include <utility>

#include "controlplane/model/object_reader.h"
#include "controlplane/model/rules.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr const char* kIdRule = "must be 1–63 characters a–z, 0–9 and inner hyphens";

std::string parse_id(ObjectReader& reader) {
  const auto id = reader.required_text("id");
  if (!id) return {};
  if (!is_valid_id(id->data(), id->size())) reader.complain("id", kIdRule);
  return *id;
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
  if (!address->is_unicast()) reader.complain(key, "'" + *written + "' is not a unicast address");
  return *address;
}

std::uint8_t parse_protocol(ObjectReader& reader) {
  const auto name = reader.required_text("protocol");
  if (!name) return 0;
  if (*name == "tcp") return kProtoTcp;
  if (*name == "udp") return kProtoUdp;
  reader.complain("protocol", "must be tcp or udp");
  return 0;
}

Encap parse_encap(ObjectReader& reader) {
  const std::string name = reader.text_or("encap", "gue");
  if (name != "gue" && name != "ipip") reader.complain("encap", "must be gue or ipip");
  return name == "ipip" ? Encap::kIpip : Encap::kGue;
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

bool is_prime(std::uint32_t n) {
  if (n < 2) return false;
  for (std::uint64_t d = 2; d * d <= n; ++d) {
    if (n % d == 0) return false;
  }
  return true;
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

}  // namespace

std::optional<Backend> parse_backend(const json& document, const std::string& path, Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  Backend out;
  out.id = parse_id(reader);
  out.address = parse_address(reader, "address");
  out.weight = reader.number_or("weight", 0, kMaxWeight, out.weight);
  out.drain = reader.flag_or("drain", out.drain);
  reader.finish();
  if (problems.size() != before) return std::nullopt;
  return out;
}

std::optional<Service> parse_service(const json& document, const std::string& path, Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  Service out;
  out.id = parse_id(reader);
  out.key.vip = parse_address(reader, "vip");
  out.key.protocol = parse_protocol(reader);
  out.key.port = static_cast<std::uint16_t>(reader.required_number("port", 1, 65535).value_or(0));
  out.encap = parse_encap(reader);
  out.table_size = reader.number_or("table_size", 0, kMaxTableSize, 0);
  out.idle_timeouts = parse_idle_timeouts(reader, problems);
  const std::size_t before_backends = problems.size();
  out.backends = parse_backends(reader, problems);
  reader.finish();
  if (document.is_object() && problems.size() == before_backends) check_backends(out, path, problems);
  if (problems.size() != before) return std::nullopt;
  return out;
}

void check_backends(const Service& service, const std::string& path, Problems& problems) {
  const std::string list = field_path(path, "backends");
  const std::size_t count = service.backends.size();
  if (count == 0) problems.push_back({list, "must not be empty"});
  if (count > kMaxBackendsPerService) {
    problems.push_back({list, "must be at most " + std::to_string(kMaxBackendsPerService) + " backends"});
  }
  if (service.table_size != 0 && (!is_prime(service.table_size) || service.table_size < count)) {
    problems.push_back(
        {field_path(path, "table_size"),
         "must be 0 or a prime of at least the number of backends (" + std::to_string(count) + ")"});
  }
  std::map<std::string, std::size_t> ids;
  std::map<IpAddr, std::size_t> addresses;
  for (std::size_t i = 0; i < count; ++i) {
    const Backend& backend = service.backends[i];
    const std::string at = list + "[" + std::to_string(i) + "]";
    if (const auto [first, fresh] = ids.emplace(backend.id, i); !fresh) {
      problems.push_back({at + ".id", "'" + backend.id + "' is also the id of " + list + "[" +
                                          std::to_string(first->second) + "]"});
    }
    if (const auto [first, fresh] = addresses.emplace(backend.address, i); !fresh) {
      problems.push_back({at + ".address", backend.address.text() + " is also the address of " + list + "[" +
                                               std::to_string(first->second) + "]"});
    }
    if (backend.address == service.key.vip) {
      problems.push_back({at + ".address", backend.address.text() + " is the service's own VIP"});
    }
  }
}

std::optional<GatewayPolicy> parse_gateway(const json& document, const std::string& path,
                                           Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, path, problems);
  GatewayPolicy out;
  out.id = parse_id(reader);
  out.announce = reader.flag_or("announce", out.announce);
  reader.finish();
  if (problems.size() != before) return std::nullopt;
  return out;
}

std::optional<std::vector<Service>> parse_services(const json& document, Problems& problems) {
  const std::size_t before = problems.size();
  ObjectReader reader(document, "", problems);
  const json* list = reader.member("services");
  reader.finish();
  if (list == nullptr || !list->is_array()) {
    reader.complain("services", "must be a list of services");
    return std::nullopt;
  }
  std::vector<Service> out;
  for (std::size_t i = 0; i < list->size(); ++i) {
    auto service = parse_service((*list)[i], "services[" + std::to_string(i) + "]", problems);
    if (service) out.push_back(std::move(*service));
  }
  // Indices in the rules' messages are those of `out`, which are the operator's only while nothing was left
  // out.
  if (problems.size() == before) check_services(out, problems);
  if (problems.size() != before) return std::nullopt;
  return out;
}

json to_json(const Backend& backend) {
  return {{"id", backend.id},
          {"address", backend.address.text()},
          {"weight", backend.weight},
          {"drain", backend.drain}};
}

json to_json(const Service& service) {
  json backends = json::array();
  for (const Backend& backend : service.backends) backends.push_back(to_json(backend));
  const IdleTimeouts& idle = service.idle_timeouts;
  return {{"id", service.id},
          {"vip", service.key.vip.text()},
          {"protocol", service.key.protocol == kProtoTcp ? "tcp" : "udp"},
          {"port", service.key.port},
          {"encap", service.encap == Encap::kGue ? "gue" : "ipip"},
          {"table_size", service.table_size},
          {"idle_timeouts",
           {{"tcp_syn_seconds", idle.tcp_syn_seconds},
            {"tcp_established_seconds", idle.tcp_established_seconds},
            {"tcp_closing_seconds", idle.tcp_closing_seconds},
            {"udp_seconds", idle.udp_seconds}}},
          {"backends", std::move(backends)}};
}

json to_json(const GatewayPolicy& gateway) { return {{"id", gateway.id}, {"announce", gateway.announce}}; }

}  // namespace penstock

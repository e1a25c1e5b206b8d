#include "controlplane/model/service_options.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <string>

#include "controlplane/model/service_names.h"
#include "controlplane/model/workload_document.h"

namespace penstock {
namespace {

using nlohmann::json;

/// The member `key` of `object`; what it says never appears in a problem.
std::optional<QuicKey> parse_key(ObjectReader& object, const std::vector<QuicConfig>& known) {
  if (object.member("key") == nullptr) return std::nullopt;
  const auto written = object.required_text("key");
  if (!written) return std::nullopt;
  if (written->starts_with("sha256:")) {
    const auto same = std::find_if(known.begin(), known.end(), [&](const QuicConfig& config) {
      return config.key && fingerprint(*config.key) == *written;
    });
    if (same != known.end()) return same->key;
    object.complain("key",
                    "is the fingerprint of a key that this service does not have: give the key itself");
    return std::nullopt;
  }
  const auto bytes = bytes_from_hex(*written);
  if (!bytes || bytes->size() != kQuicKeyBytes) {
    object.complain("key", "must be 32 hexadecimal digits, or left out for IDs in the clear");
    return std::nullopt;
  }
  QuicKey key;
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return key;
}

QuicConfig parse_config(const json& value, const std::string& path, Problems& problems,
                        const std::vector<QuicConfig>& known) {
  ObjectReader reader(value, path, problems);
  const auto octet = [&](const char* key, std::uint32_t least, std::uint32_t most) {
    return static_cast<std::uint8_t>(reader.required_number(key, least, most).value_or(0));
  };
  QuicConfig out;
  out.rotation = octet("rotation", 0, kMaxQuicRotation);
  out.server_id_length = octet("server_id_length", 1, kMaxQuicServerIdLength);
  out.nonce_length = octet("nonce_length", kMinQuicNonceLength, kMaxQuicNonceLength);
  if (out.server_id_length + out.nonce_length > static_cast<int>(kMaxQuicIdAndNonceLength)) {
    reader.complain("nonce_length", "server_id_length and nonce_length together must be at most " +
                                        std::to_string(kMaxQuicIdAndNonceLength));
  }
  out.key = parse_key(reader, known);
  reader.finish();
  return out;
}

TooBig parse_too_big(ObjectReader& reader) {
  const std::string name = reader.text_or("too_big", "reply");
  if (name != "reply" && name != "fragment") reader.complain("too_big", "must be reply or fragment");
  return name == "fragment" ? TooBig::kFragment : TooBig::kReply;
}

}  // namespace

Forwarding parse_forwarding(ObjectReader& service, Problems& problems) {
  Forwarding out;
  const json* value = service.member("forwarding");
  if (value == nullptr) return out;
  ObjectReader reader(*value, service.path("forwarding"), problems);
  out.udp_checksum = reader.flag_or("udp_checksum", out.udp_checksum);
  if (reader.member("gre_key") != nullptr) {
    out.gre_key = reader.required_number("gre_key", 0, std::numeric_limits<std::uint32_t>::max());
  }
  out.vxlan_vni = reader.number_or("vxlan_vni", 1, kMaxVxlanVni, out.vxlan_vni);
  out.too_big = parse_too_big(reader);
  out.proxy_protocol = reader.flag_or("proxy_protocol", out.proxy_protocol);
  reader.finish();
  return out;
}

SourceAffinity parse_affinity(ObjectReader& service, Preference& preference, Problems& problems) {
  SourceAffinity out;
  const json* value = service.member("affinity");
  if (value == nullptr) return out;
  ObjectReader reader(*value, service.path("affinity"), problems);
  out.ipv4_prefix = static_cast<std::uint8_t>(reader.number_or("ipv4_prefix", 0, 32, 0));
  out.ipv6_prefix = static_cast<std::uint8_t>(reader.number_or("ipv6_prefix", 0, 128, 0));
  preference = parse_preference(reader, problems);
  reader.finish();
  return out;
}

std::vector<QuicConfig> parse_quic(ObjectReader& service, Problems& problems,
                                   const std::vector<QuicConfig>& known) {
  std::vector<QuicConfig> out;
  const json* value = service.member("quic");
  if (value == nullptr) return out;
  ObjectReader reader(*value, service.path("quic"), problems);
  const json* configs = reader.required_list("configs");
  reader.finish();
  if (configs == nullptr) return out;
  for (std::size_t i = 0; i < configs->size(); ++i) {
    const std::string path = reader.path("configs") + "[" + std::to_string(i) + "]";
    out.push_back(parse_config((*configs)[i], path, problems, known));
    const bool twice = std::any_of(out.begin(), out.end() - 1,
                                   [&](const QuicConfig& c) { return c.rotation == out.back().rotation; });
    if (twice) problems.push_back({path + ".rotation", "is also that of an earlier entry"});
  }
  return out;
}

json to_json(const Forwarding& forwarding) {
  json out = json::object();
  if (forwarding.udp_checksum) out["udp_checksum"] = true;
  if (forwarding.gre_key) out["gre_key"] = *forwarding.gre_key;
  if (forwarding.vxlan_vni != 0) out["vxlan_vni"] = forwarding.vxlan_vni;
  if (forwarding.too_big == TooBig::kFragment) out["too_big"] = "fragment";
  if (forwarding.proxy_protocol) out["proxy_protocol"] = true;
  return out;
}

json to_json(const SourceAffinity& affinity, const Preference& preference) {
  json out = json::object();
  if (affinity.ipv4_prefix != 0) out["ipv4_prefix"] = affinity.ipv4_prefix;
  if (affinity.ipv6_prefix != 0) out["ipv6_prefix"] = affinity.ipv6_prefix;
  add_to_json(out, preference);
  return out;
}

json to_json(const std::vector<QuicConfig>& quic, Secrets secrets) {
  json configs = json::array();
  for (const QuicConfig& config : quic) {
    json out = {{"rotation", config.rotation},
                {"server_id_length", config.server_id_length},
                {"nonce_length", config.nonce_length}};
    if (config.key) {
      out["key"] = secrets == Secrets::kWritten ? hex(config.key->data(), config.key->size())
                                                : fingerprint(*config.key);
    }
    configs.push_back(std::move(out));
  }
  return {{"configs", std::move(configs)}};
}

}  // namespace penstock

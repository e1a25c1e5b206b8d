#include "controlplane/ctl/service_flags.h"

#include <fstream>
#include <map>

#include "controlplane/ctl/members.h"

namespace penstock {
namespace {

Result<Json> first_word_of(const std::string& flag, const std::string& path) {
  std::ifstream file(path);
  std::string word;
  if (!(file >> word)) return invalid(flag, "'" + path + "' cannot be read or is empty");
  return Json(word);
}

/// One port is a number in a document, all else a text.
Json port_json(const std::string& text) {
  auto one = number("--port", text);
  return one ? *one : Json(text);
}

template <class T>
void put(Json& object, const char* key, const std::optional<T>& value) {
  if (value) object[key] = *value;
}

void put_object(Json& out, const char* key, Json members) {
  if (!members.empty()) out[key] = std::move(members);
}

Result<Json> forwarding_json(const ServiceFlags& flags) {
  Json out = Json::object();
  put(out, "udp_checksum", flags.udp_checksum);
  put(out, "vxlan_vni", flags.vxlan_vni);
  put(out, "too_big", flags.too_big);
  put(out, "proxy_protocol", flags.proxy_protocol);
  if (flags.gre_key == "none") {
    out["gre_key"] = nullptr;
  } else if (flags.gre_key) {
    auto key = number("--gre-key", *flags.gre_key);
    if (!key) return key.error();
    out["gre_key"] = *key;
  }
  return out;
}

Result<Json> quic_json(const std::vector<std::string>& texts) {
  if (texts.size() == 1 && texts[0] == "none") return Json(nullptr);
  Json configs = Json::array();
  for (const std::string& text : texts) {
    auto config = quic_config_from_text(text);
    if (!config) return config.error();
    configs.push_back(std::move(*config));
  }
  return Json({{"configs", std::move(configs)}});
}

}  // namespace

Result<Json> backend_from_text(const std::string& text) {
  auto backend = members_from_text("--backend", text,
                                   {{"id", as_text},
                                    {"address", as_text},
                                    {"weight", number},
                                    {"weight_override", number},
                                    {"drain", yes_or_no},
                                    {"maintenance", yes_or_no},
                                    {"port", number},
                                    {"mac", as_text},
                                    {"quic_server_id", as_text}});
  if (!backend) return backend;
  for (const char* needed : {"id", "address"}) {
    if (!backend->contains(needed)) return invalid("--backend", "'" + text + "' has no " + needed + "=");
  }
  return backend;
}

Result<Json> quic_config_from_text(const std::string& text) {
  auto config = members_from_text("--quic", text,
                                  {{"rotation", number},
                                   {"server_id_length", number},
                                   {"nonce_length", number},
                                   {"key_file", first_word_of}});
  if (config && config->contains("key_file")) {
    (*config)["key"] = (*config)["key_file"];
    config->erase("key_file");
  }
  return config;
}

Result<Json> to_json(const ServiceFlags& flags) {
  Json out = Json::object();
  put(out, "vip", flags.vip);
  put(out, "protocol", flags.protocol);
  put(out, "encap", flags.encap);
  put(out, "table_size", flags.table_size);
  put(out, "one_shot", flags.one_shot);
  put(out, "second_chance", flags.second_chance);
  if (flags.port) out["port"] = port_json(*flags.port);
  Json idle = Json::object();
  put(idle, "tcp_syn_seconds", flags.tcp_syn_seconds);
  put(idle, "tcp_established_seconds", flags.tcp_established_seconds);
  put(idle, "tcp_closing_seconds", flags.tcp_closing_seconds);
  put(idle, "udp_seconds", flags.udp_seconds);
  put_object(out, "idle_timeouts", std::move(idle));
  Json affinity = Json::object();
  put(affinity, "ipv4_prefix", flags.affinity_ipv4);
  put(affinity, "ipv6_prefix", flags.affinity_ipv6);
  if (auto done = add_workload(out, affinity, flags.workload); !done) return done.error();
  put_object(out, "affinity", std::move(affinity));
  auto forwarding = forwarding_json(flags);
  if (!forwarding) return forwarding;
  put_object(out, "forwarding", std::move(*forwarding));
  if (!flags.quic.empty()) {
    auto quic = quic_json(flags.quic);
    if (!quic) return quic;
    out["quic"] = std::move(*quic);
  }
  auto health = to_json(flags.health);
  if (!health) return health;
  put_object(out, "health", std::move(*health));
  for (const std::string& text : flags.backends) {
    auto backend = backend_from_text(text);
    if (!backend) return backend;
    out["backends"].push_back(std::move(*backend));
  }
  return out;
}

Result<Json> to_json(const BackendFlags& flags) {
  Json out = Json::object();
  put(out, "address", flags.address);
  put(out, "weight", flags.weight);
  if (flags.weight_override) {
    auto value = number_or_none("--weight-override", *flags.weight_override);
    if (!value) return value;
    out["weight_override"] = std::move(*value);
  }
  put(out, "drain", flags.drain);
  // A backend that takes new flows again has no deadline any more.
  if (flags.drain == false) {
    out["drain_deadline"] = nullptr;
    out["drain_policy"] = nullptr;
  }
  put(out, "maintenance", flags.maintenance);
  put(out, "port", flags.port);
  put(out, "mac", flags.mac);
  put(out, "quic_server_id", flags.quic_server_id);
  return out;
}

}  // namespace penstock

// What `set service`, `create service` and `set backend` take on the command line, as the document or merge
// patch that the server gets. Ranges are left to the server.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/ctl/health_flags.h"
#include "controlplane/ctl/rest_client.h"
#include "controlplane/ctl/workload_flags.h"

namespace penstock {

/// What is not given stays as it is, or takes the server's default in a new service.
struct ServiceFlags {
  std::optional<std::string> vip, protocol, encap;
  std::optional<std::string> port;  // "80", "8000-8999" or "*"
  std::optional<std::uint32_t> table_size;
  std::optional<std::uint32_t> tcp_syn_seconds, tcp_established_seconds, tcp_closing_seconds, udp_seconds;
  std::optional<bool> udp_checksum, proxy_protocol, one_shot;
  std::optional<std::string> gre_key;  // a number, or "none"
  std::optional<std::uint32_t> vxlan_vni;
  std::optional<std::string> too_big, second_chance;
  std::optional<std::uint32_t> affinity_ipv4, affinity_ipv6;
  std::vector<std::string> quic;      // quic_config_from_text(), or "none"; replaces the whole list
  std::vector<std::string> backends;  // backend_from_text(); replaces the whole list
  HealthFlags health;
  WorkloadFlags workload;
};

struct BackendFlags {
  std::optional<std::string> address, mac, quic_server_id;
  std::optional<std::uint32_t> weight, port;
  std::optional<bool> drain, maintenance;
  std::optional<std::string> weight_override;  // a number, or "none"
};

/// An object with the members that were given; empty when nothing was.
[[nodiscard]] Result<Json> to_json(const ServiceFlags& flags);
[[nodiscard]] Result<Json> to_json(const BackendFlags& flags);

/// "id=be1,address=10.0.0.1,weight=3,weight_override=5,drain=true,maintenance=true,port=8080,mac=…,quic_server_id=…":
/// id and address are needed.
[[nodiscard]] Result<Json> backend_from_text(const std::string& text);

/// "rotation=0,server_id_length=4,nonce_length=6,key_file=PATH". The file holds the key's hexadecimal digits:
/// on a command line every user of the host could read them.
[[nodiscard]] Result<Json> quic_config_from_text(const std::string& text);

}  // namespace penstock

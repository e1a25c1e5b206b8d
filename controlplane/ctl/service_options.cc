#include "controlplane/ctl/service_options.h"

namespace penstock {

void add_service_options(CLI::App& to, ServiceFlags& flags) {
  to.add_option("--vip", flags.vip, "Virtual IP address, or a prefix such as 203.0.113.0/24");
  to.add_option("--protocol", flags.protocol, "tcp, udp, sctp or any");
  to.add_option("--port", flags.port, "1-65535, a range such as 8000-8999, or * for every port");
  to.add_option("--encap", flags.encap, "gue, ipip, gre, vxlan, l2dsr or nat");
  to.add_option("--table-size", flags.table_size, "Slots of the Maglev table, a prime; 0 = by itself");
  to.add_option("--backend", flags.backends,
                "id=ID,address=ADDRESS[,weight=N][,drain=true][,maintenance=true][,port=N][,mac=MAC]"
                "[,quic_server_id=HEX]; again for each, replaces all")
      ->allow_extra_args(false);
  to.add_option("--tcp-syn-seconds", flags.tcp_syn_seconds, "Idle timeout before the handshake is done");
  to.add_option("--tcp-established-seconds", flags.tcp_established_seconds,
                "Idle timeout of established connections");
  to.add_option("--tcp-closing-seconds", flags.tcp_closing_seconds, "Idle timeout after FIN or RST");
  to.add_option("--udp-seconds", flags.udp_seconds, "Idle timeout of UDP flows");
  to.add_option("--second-chance", flags.second_chance,
                "gue: tcp (by itself), off, or tcp+udp: backends pass on what they do not know");
  to.add_option("--one-shot", flags.one_shot, "true: a UDP service without flow entries");
  to.add_option("--affinity-ipv4", flags.affinity_ipv4,
                "Keep clients of one IPv4 prefix of so many bits on one backend; 0 = by flow");
  to.add_option("--affinity-ipv6", flags.affinity_ipv6, "The same for IPv6");
  to.add_option("--udp-checksum", flags.udp_checksum, "gue, vxlan: true computes the outer UDP checksum");
  to.add_option("--gre-key", flags.gre_key, "gre: the key, or none");
  to.add_option("--vxlan-vni", flags.vxlan_vni, "vxlan: the network identifier");
  to.add_option("--too-big", flags.too_big, "What does not fit: reply tells the sender, or fragment");
  to.add_option("--proxy-protocol", flags.proxy_protocol,
                "nat of tcp: true tells the client's address by the PROXY protocol");
  to.add_option("--quic", flags.quic,
                "rotation=N,server_id_length=N,nonce_length=N[,key_file=PATH], or none; again for each, "
                "replaces all")
      ->allow_extra_args(false);
  add_health_options(to, flags.health);
  add_workload_options(to, flags.workload);
}

void add_health_options(CLI::App& to, HealthFlags& flags) {
  to.add_option("--check", flags.checks,
                "type=tcp|http|https|grpc|udp|script[,name=N][,port=N][,interval=1s][,timeout=500ms][,rise=2]"
                "[,fall=3]; http, https: [,path=/][,host=H][,method=GET|HEAD][,statuses=200-299+301]"
                "[,body=TEXT][,header=NAME:VALUE][,verify_tls=true]; grpc: [,grpc_service=S]; udp: "
                "[,send=HEX][,expect=HEX]; script: script=FILE. Or none; again for each, replaces all")
      ->allow_extra_args(false);
  to.add_option("--direct", flags.direct,
                "Checks by the gateways themselves: auto (of backends without an agent), off or always");
  to.add_option("--rise", flags.rise, "Probes answered in a row until a silent host counts as alive");
  to.add_option("--fall", flags.fall, "Probes lost in a row until it counts as dead");
  to.add_option("--hold", flags.hold, "What went down stays down at least so long (2s)");
  to.add_option("--max-hold", flags.max_hold, "Falling again doubles the hold, up to this (60s)");
  to.add_option("--all-down", flags.all_down,
                "Without a living backend: use_all tries them all, reset refuses clients, or drop");
  to.add_option("--panic-percent", flags.panic_percent,
                "With fewer of the backends alive, all count as alive; 0 = never");
  to.add_option(
      "--hot", flags.hot,
      "Whom new flows avoid: response=20ms,queue=50,utilization=90 (response 0: by history), off, or "
      "default");
  to.add_option(
      "--breaker", flags.breaker,
      "Who is taken out: failure=30,latency-factor=10,probe-loss=60,open=5s,half-open=5,max-open=50 "
      "(failure 0: by history), off, or default");
  to.add_option("--slow-start", flags.slow_start,
                "How a backend comes back: 10s,initial=10,exponent=1, off, or default");
}

void add_workload_options(CLI::App& to, WorkloadFlags& flags) {
  to.add_option("--policy", flags.policy, "What its weights are for: the id of a policy; static by itself");
  to.add_option("--class", flags.work, "auto (learned), latency-sensitive, throughput or batch");
  to.add_option("--priority", flags.priority, "Weighs its latency against that of other services (1)");
  to.add_option("--latency-objective", flags.latency_objective,
                "To a response's first byte (20ms); 0 = none");
  to.add_option("--zone", flags.zone, "Rather backends whose node has this label zone; none = any");
  to.add_option("--zone-strict", flags.zone_strict, "true: backends of other zones get nothing");
  to.add_option("--prefer", flags.labels,
                "NAME=VALUE: rather nodes with this label; NAME= takes it back; again for each")
      ->allow_extra_args(false);
}

void add_backend_options(CLI::App& to, BackendFlags& flags) {
  to.add_option("--address", flags.address, "IPv4 or IPv6 address of the backend host");
  to.add_option("--weight", flags.weight, "0-1000");
  to.add_option("--weight-override", flags.weight_override,
                "0-1000 instead of what the policy decides, or none");
  to.add_option("--drain", flags.drain, "true or false");
  to.add_option("--maintenance", flags.maintenance, "true: no new flow, whatever its health; no slot moves");
  to.add_option("--port", flags.port, "nat: where it listens; else the VIP's port");
  to.add_option("--mac", flags.mac, "vxlan: its MAC address inside the tunnel");
  to.add_option("--quic-server-id", flags.quic_server_id, "Hexadecimal, with a service's --quic");
}

}  // namespace penstock

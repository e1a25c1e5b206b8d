// What a configuration may say about forwarding modes, prefixes, ranges and balancing, and how each
// combination that makes no sense is refused.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "dataplane/config/document.h"
#include "penstock/proto/config.pb.h"

namespace penstock {
namespace {

using Config = proto::DataplaneConfig;

proto::Service& add(Config& config, const std::string& id, proto::Protocol protocol, std::uint32_t port,
                    proto::Encap encap) {
  proto::Service& service = *config.add_services();
  service.set_id(id);
  service.set_vip("203.0.113.10");
  service.set_protocol(protocol);
  service.set_port(port);
  service.set_encap(encap);
  for (int i = 1; i <= 2; ++i) {
    proto::Backend& backend = *service.add_backends();
    backend.set_id("be" + std::to_string(i));
    backend.set_address("10.0.0." + std::to_string(i));
    backend.set_weight(1);
    if (encap == proto::VXLAN) backend.set_mac("02:00:00:00:01:0" + std::to_string(i));
  }
  if (encap == proto::VXLAN) service.mutable_forwarding()->set_vxlan_vni(7);
  return service;
}

Config empty() {
  Config config;
  config.set_generation(1);
  config.set_hash_key(std::string(32, 'k'));
  return config;
}

proto::QuicLb::Config& add_quic(proto::Service& service, std::uint32_t rotation, std::uint32_t id_length) {
  proto::QuicLb::Config& quic = *service.mutable_quic()->add_configs();
  quic.set_rotation(rotation);
  quic.set_server_id_length(id_length);
  quic.set_nonce_length(4);
  for (int i = 0; i < service.backends_size(); ++i) {
    service.mutable_backends(i)->set_quic_server_id(std::string(id_length, static_cast<char>('a' + i)));
  }
  return quic;
}

std::vector<std::string> texts(const Validation& v) {
  std::vector<std::string> out;
  for (const Error& e : v.problems) out.push_back(e.text());
  return out;
}

TEST(ValidateModes, AcceptsEveryEncapsulationWithWhatBelongsToIt) {
  Config config = empty();
  auto& gue = add(config, "gue", proto::TCP, 1, proto::GUE);
  gue.mutable_forwarding()->set_udp_checksum(true);
  gue.mutable_forwarding()->set_too_big(proto::TOO_BIG_FRAGMENT);
  auto& gre = add(config, "gre", proto::TCP, 2, proto::GRE);
  gre.mutable_forwarding()->set_gre_key(0);
  auto& vxlan = add(config, "vxlan", proto::TCP, 3, proto::VXLAN);
  vxlan.mutable_forwarding()->set_vxlan_vni(16'777'215);
  vxlan.mutable_forwarding()->set_udp_checksum(true);
  vxlan.mutable_backends(0)->set_mac("02:AB:cd:00:00:01");
  add(config, "l2dsr", proto::TCP, 4, proto::L2DSR);
  auto& nat = add(config, "nat", proto::TCP, 5, proto::NAT);
  nat.mutable_forwarding()->set_proxy_protocol(true);
  nat.mutable_backends(0)->set_port(8080);
  nat.mutable_backends(1)->set_address("2001:db8::1");
  const Validation v = validate(config);
  ASSERT_THAT(texts(v), testing::IsEmpty());
  const auto& services = v.document.services;
  EXPECT_EQ(services[0].encap, Encap::kGue);
  EXPECT_TRUE(services[0].forwarding.udp_checksum);
  EXPECT_EQ(services[0].forwarding.too_big, TooBig::kFragment);
  EXPECT_EQ(services[1].encap, Encap::kGre);
  EXPECT_EQ(services[1].forwarding.gre_key, 0U);
  EXPECT_EQ(services[2].encap, Encap::kVxlan);
  EXPECT_EQ(services[2].forwarding.vxlan_vni, 16'777'215U);
  EXPECT_EQ(services[2].backends[0].mac.text(), "02:ab:cd:00:00:01");
  EXPECT_EQ(services[3].encap, Encap::kL2dsr);
  EXPECT_FALSE(services[3].forwarding.gre_key.has_value());
  EXPECT_EQ(services[4].encap, Encap::kNat);
  EXPECT_TRUE(services[4].forwarding.proxy_protocol);
  EXPECT_EQ(services[4].backends[0].port, 8080);
}

TEST(ValidateModes, AcceptsPrefixesRangesAndWildcardsThatOverlapByRank) {
  Config config = empty();
  add(config, "host", proto::TCP, 8500, proto::GUE);
  add(config, "range", proto::TCP, 8000, proto::GUE).set_last_port(8999);
  add(config, "next-range", proto::TCP, 9000, proto::GUE).set_last_port(65'535);
  add(config, "udp-range", proto::UDP, 8000, proto::GUE).set_last_port(8999);
  add(config, "all-ports", proto::TCP, 0, proto::GUE);
  add(config, "any", proto::ANY_PROTOCOL, 0, proto::GUE);
  add(config, "sctp", proto::SCTP, 5000, proto::GUE);
  add(config, "net", proto::TCP, 8000, proto::GUE).set_vip("203.0.113.0/24");
  auto& wide = add(config, "wide-net", proto::TCP, 8000, proto::GUE);
  wide.set_vip("203.0.0.0/16");
  wide.set_last_port(8999);
  add(config, "net6", proto::ANY_PROTOCOL, 0, proto::IPIP).set_vip("2001:db8::/64");
  add(config, "one6", proto::ANY_PROTOCOL, 0, proto::IPIP).set_vip("2001:db8::7/128");
  const Validation v = validate(config);
  ASSERT_THAT(texts(v), testing::IsEmpty());
  const auto key = [&](std::size_t i) { return v.document.services[i].key.text(); };
  EXPECT_EQ(key(1), "tcp 203.0.113.10:8000-8999");
  EXPECT_EQ(key(4), "tcp 203.0.113.10:*");
  EXPECT_EQ(key(5), "any 203.0.113.10:*");
  EXPECT_EQ(key(6), "sctp 203.0.113.10:5000");
  EXPECT_EQ(key(7), "tcp 203.0.113.0/24:8000");
  EXPECT_EQ(key(9), "any [2001:db8::/64]:*");
  EXPECT_EQ(key(10), "any [2001:db8::7]:*");
}

TEST(ValidateModes, AcceptsAffinityOneShotAndQuic) {
  Config config = empty();
  auto& affine = add(config, "affine", proto::TCP, 1, proto::GUE);
  affine.mutable_affinity()->set_ipv4_prefix(24);
  affine.mutable_affinity()->set_ipv6_prefix(128);
  add(config, "dns", proto::UDP, 53, proto::GUE).set_one_shot(true);
  auto& quic = add(config, "quic", proto::UDP, 443, proto::GUE);
  add_quic(quic, 0, 15).set_key(std::string(16, 'q'));
  add_quic(quic, 6, 15);
  const Validation v = validate(config);
  ASSERT_THAT(texts(v), testing::IsEmpty());
  EXPECT_EQ(v.document.services[0].affinity, (AffinityDocument{24, 128}));
  EXPECT_TRUE(v.document.services[1].one_shot);
  ASSERT_EQ(v.document.services[2].quic.size(), 2U);
  EXPECT_EQ(v.document.services[2].quic[0].key->at(15), 'q');
  EXPECT_FALSE(v.document.services[2].quic[1].key.has_value());
  EXPECT_EQ(v.document.services[2].quic[1].rotation, 6);
  EXPECT_EQ(v.document.services[2].backends[1].quic_server_id, std::string(15, 'b'));
}

struct Bad {
  const char* what;
  std::function<void(Config&)> make;
  const char* refusal;
};

proto::Forwarding& forwarding(Config& c, proto::Encap encap, proto::Protocol protocol = proto::TCP) {
  return *add(c, "web", protocol, 80, encap).mutable_forwarding();
}
proto::Backend& backend(Config& c, proto::Encap encap) {
  return *add(c, "web", proto::TCP, 80, encap).mutable_backends(1);
}

const Bad kBad[] = {
    {"checksum of GRE", [](auto& c) { forwarding(c, proto::GRE).set_udp_checksum(true); },
     "services[0].forwarding.udp_checksum: only GUE and VXLAN have an outer UDP header"},
    {"key of GUE", [](auto& c) { forwarding(c, proto::GUE).set_gre_key(1); },
     "services[0].forwarding.gre_key: only GRE has a key"},
    {"VNI of IPIP", [](auto& c) { forwarding(c, proto::IPIP).set_vxlan_vni(1); },
     "services[0].forwarding.vxlan_vni: only VXLAN has a network identifier"},
    {"no VNI", [](auto& c) { forwarding(c, proto::VXLAN).set_vxlan_vni(0); },
     "services[0].forwarding.vxlan_vni: must be 1-16777215 with VXLAN, not 0"},
    {"VNI", [](auto& c) { forwarding(c, proto::VXLAN).set_vxlan_vni(1 << 24); },
     "services[0].forwarding.vxlan_vni: must be 1-16777215 with VXLAN, not 16777216"},
    {"fragmenting L2DSR", [](auto& c) { forwarding(c, proto::L2DSR).set_too_big(proto::TOO_BIG_FRAGMENT); },
     "services[0].forwarding.too_big: L2DSR and NAT have no outer packet that could be fragmented"},
    {"fragmenting NAT", [](auto& c) { forwarding(c, proto::NAT).set_too_big(proto::TOO_BIG_FRAGMENT); },
     "services[0].forwarding.too_big: L2DSR and NAT have no outer packet that could be fragmented"},
    {"unknown policy", [](auto& c) { forwarding(c, proto::GUE).set_too_big(static_cast<proto::TooBig>(2)); },
     "services[0].forwarding.too_big: must be TOO_BIG_REPLY (0) or TOO_BIG_FRAGMENT (1), not 2"},
    {"PROXY without NAT", [](auto& c) { forwarding(c, proto::GUE).set_proxy_protocol(true); },
     "services[0].forwarding.proxy_protocol: only NAT of TCP can put a PROXY header before the client's "
     "data"},
    {"PROXY of UDP", [](auto& c) { forwarding(c, proto::NAT, proto::UDP).set_proxy_protocol(true); },
     "services[0].forwarding.proxy_protocol: only NAT of TCP can put a PROXY header before the client's "
     "data"},
    {"NAT of SCTP", [](auto& c) { add(c, "web", proto::SCTP, 80, proto::NAT); },
     "services[0].encap: NAT translates TCP and UDP, not sctp"},
    {"NAT of everything", [](auto& c) { add(c, "web", proto::ANY_PROTOCOL, 0, proto::NAT); },
     "services[0].encap: NAT translates TCP and UDP, not any"},
    {"port without NAT", [](auto& c) { backend(c, proto::GUE).set_port(8080); },
     "services[0].backends[1].port: only NAT can change the port"},
    {"backend's port", [](auto& c) { backend(c, proto::NAT).set_port(65'536); },
     "services[0].backends[1].port: must be 1-65535, or 0 for the packet's own port, not 65536"},
    {"MAC without VXLAN", [](auto& c) { backend(c, proto::L2DSR).set_mac("02:00:00:00:00:01"); },
     "services[0].backends[1].mac: only VXLAN has an inner Ethernet header"},
    {"no MAC", [](auto& c) { backend(c, proto::VXLAN).clear_mac(); },
     "services[0].backends[1].mac: VXLAN needs the MAC address of the backend's inner interface"},
    {"no such MAC", [](auto& c) { backend(c, proto::VXLAN).set_mac("02-00-00-00-00-01"); },
     "services[0].backends[1].mac: '02-00-00-00-00-01' is not a MAC address (write 02:00:00:00:00:01)"},
    {"MAC with single digits", [](auto& c) { backend(c, proto::VXLAN).set_mac("2:0:0:0:0:1"); },
     "services[0].backends[1].mac: '2:0:0:0:0:1' is not a MAC address (write 02:00:00:00:00:01)"},
    {"MAC with a blank", [](auto& c) { backend(c, proto::VXLAN).set_mac(" 2:00:00:00:00:01"); },
     "services[0].backends[1].mac: ' 2:00:00:00:00:01' is not a MAC address (write 02:00:00:00:00:01)"},
    {"MAC zero", [](auto& c) { backend(c, proto::VXLAN).set_mac("00:00:00:00:00:00"); },
     "services[0].backends[1].mac: '00:00:00:00:00:00' is not the unicast address of one interface"},
    {"MAC multicast", [](auto& c) { backend(c, proto::VXLAN).set_mac("33:33:00:00:00:01"); },
     "services[0].backends[1].mac: '33:33:00:00:00:01' is not the unicast address of one interface"},
    {"hops without GUE",
     [](auto& c) { add(c, "web", proto::TCP, 80, proto::IPIP).set_second_chance(proto::SECOND_CHANCE_OFF); },
     "services[0].second_chance: only GUE can carry hops"},
    {"hops of NAT",
     [](auto& c) {
       add(c, "web", proto::UDP, 80, proto::NAT).set_second_chance(proto::SECOND_CHANCE_TCP_AND_UDP);
     },
     "services[0].second_chance: only GUE can carry hops"},
    {"hops of UDP for TCP",
     [](auto& c) {
       add(c, "web", proto::TCP, 80, proto::GUE).set_second_chance(proto::SECOND_CHANCE_TCP_AND_UDP);
     },
     "services[0].second_chance: SECOND_CHANCE_TCP_AND_UDP is for services of UDP, not of tcp"},
    {"hops of UDP for everything",
     [](auto& c) {
       add(c, "web", proto::ANY_PROTOCOL, 0, proto::GUE).set_second_chance(proto::SECOND_CHANCE_TCP_AND_UDP);
     },
     "services[0].second_chance: SECOND_CHANCE_TCP_AND_UDP is for services of UDP, not of any"},
    {"hops of no flow",
     [](auto& c) {
       auto& dns = add(c, "dns", proto::UDP, 53, proto::GUE);
       dns.set_one_shot(true);
       dns.set_second_chance(proto::SECOND_CHANCE_TCP_AND_UDP);
     },
     "services[0].second_chance: datagrams that stand by themselves (one_shot) belong to no flow"},
    {"unknown second chance",
     [](auto& c) {
       add(c, "web", proto::TCP, 80, proto::GUE).set_second_chance(static_cast<proto::SecondChance>(3));
     },
     "services[0].second_chance: must be SECOND_CHANCE_TCP (0), SECOND_CHANCE_OFF (1) or "
     "SECOND_CHANCE_TCP_AND_UDP (2), not 3"},
    {"reset without drain", [](auto& c) { backend(c, proto::GUE).set_reset_after_unix_seconds(1); },
     "services[0].backends[1].reset_after_unix_seconds: only a drained backend's flows are reset: set drain, "
     "too"},
    {"L2DSR across families", [](auto& c) { backend(c, proto::L2DSR).set_address("2001:db8::1"); },
     "services[0].backends[1].address: L2DSR needs the VIP's family: 2001:db8::1 is not IPv4"},

    {"IPv4 affinity",
     [](auto& c) { add(c, "web", proto::TCP, 80, proto::GUE).mutable_affinity()->set_ipv4_prefix(33); },
     "services[0].affinity.ipv4_prefix: must be 1-32, or 0 for none, not 33"},
    {"IPv6 affinity",
     [](auto& c) { add(c, "web", proto::TCP, 80, proto::GUE).mutable_affinity()->set_ipv6_prefix(129); },
     "services[0].affinity.ipv6_prefix: must be 1-128, or 0 for none, not 129"},
    {"one-shot TCP", [](auto& c) { add(c, "web", proto::TCP, 80, proto::GUE).set_one_shot(true); },
     "services[0].one_shot: only UDP datagrams can stand by themselves, not tcp"},
    {"one-shot NAT", [](auto& c) { add(c, "web", proto::UDP, 80, proto::NAT).set_one_shot(true); },
     "services[0].one_shot: NAT has to remember every flow for its answers"},
    {"one-shot QUIC",
     [](auto& c) {
       add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 3);
       c.mutable_services(0)->set_one_shot(true);
     },
     "services[0].one_shot: a QUIC connection is more than one datagram: leave out quic or one_shot"},

    {"QUIC over TCP", [](auto& c) { add_quic(add(c, "web", proto::TCP, 80, proto::GUE), 0, 3); },
     "services[0].quic: QUIC runs over UDP, not tcp"},
    {"QUIC through NAT", [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::NAT), 0, 3); },
     "services[0].quic: NAT knows a flow by its addresses, not by its connection ID"},
    {"QUIC without configurations", [](auto& c) { add(c, "web", proto::UDP, 80, proto::GUE).mutable_quic(); },
     "services[0].quic.configs: must not be empty"},
    {"rotation", [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 7, 3); },
     "services[0].quic.configs[0].rotation: must be 0-6, not 7"},
    {"rotation twice",
     [](auto& c) {
       auto& service = add(c, "web", proto::UDP, 80, proto::GUE);
       add_quic(service, 2, 3);
       add_quic(service, 2, 3);
     },
     "services[0].quic.configs[1].rotation: 2 occurs twice"},
    {"no server ID", [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 0); },
     "services[0].quic.configs[0].server_id_length: must be 1-15 octets, not 0"},
    {"long server ID", [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 16); },
     "services[0].quic.configs[0].server_id_length: must be 1-15 octets, not 16"},
    {"short nonce",
     [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 3).set_nonce_length(3); },
     "services[0].quic.configs[0].nonce_length: must be 4-18 octets, not 3"},
    {"long nonce",
     [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 1).set_nonce_length(19); },
     "services[0].quic.configs[0].nonce_length: must be 4-18 octets, not 19"},
    {"longer than a connection ID",
     [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 15).set_nonce_length(5); },
     "services[0].quic.configs[0].nonce_length: server ID and nonce have 19 octets together, not 20"},
    {"short key", [](auto& c) { add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 3).set_key("key"); },
     "services[0].quic.configs[0].key: must be 16 octets, or empty for IDs in the clear, not 3"},
    {"two lengths of server IDs",
     [](auto& c) {
       auto& service = add(c, "web", proto::UDP, 80, proto::GUE);
       add_quic(service, 1, 4);
       add_quic(service, 0, 3);
       service.mutable_backends(0)->set_quic_server_id("aaaa");
       service.mutable_backends(1)->set_quic_server_id("bbbb");
     },
     "services[0].quic.configs[1].server_id_length: must be 4, as in the first one: a backend has one server "
     "ID, not 3"},
    {"server ID without QUIC", [](auto& c) { backend(c, proto::GUE).set_quic_server_id("a"); },
     "services[0].backends[1].quic_server_id: only a service with quic has server IDs"},
    {"no server ID of a backend",
     [](auto& c) {
       add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 3);
       c.mutable_services(0)->mutable_backends(1)->clear_quic_server_id();
     },
     "services[0].backends[1].quic_server_id: must be 3 octets, not 0"},
    {"same server ID",
     [](auto& c) {
       add_quic(add(c, "web", proto::UDP, 80, proto::GUE), 0, 3);
       c.mutable_services(0)->mutable_backends(1)->set_quic_server_id("aaa");
     },
     "services[0].backends[1].quic_server_id: is already the server ID of backend 'be1'"},

    {"one key as a prefix of one address",
     [](auto& c) {
       add(c, "a", proto::TCP, 80, proto::GUE);
       add(c, "b", proto::TCP, 80, proto::GUE).set_vip("203.0.113.10/32");
     },
     "services[1].vip: tcp 203.0.113.10:80 already belongs to service 'a'"},
    {"same prefix and port",
     [](auto& c) {
       add(c, "a", proto::TCP, 80, proto::GUE).set_vip("203.0.113.0/24");
       add(c, "b", proto::TCP, 80, proto::GUE).set_vip("203.0.113.0/24");
     },
     "services[1].vip: tcp 203.0.113.0/24:80 already belongs to service 'a'"},
    {"same range",
     [](auto& c) {
       add(c, "a", proto::TCP, 80, proto::GUE).set_last_port(90);
       add(c, "b", proto::TCP, 80, proto::GUE).set_last_port(90);
     },
     "services[1].vip: tcp 203.0.113.10:80-90 already belongs to service 'a'"},
    {"ranges that share one port",
     [](auto& c) {
       add(c, "a", proto::TCP, 90, proto::GUE).set_last_port(99);
       add(c, "b", proto::TCP, 80, proto::GUE).set_last_port(90);
     },
     "services[1].port: tcp 203.0.113.10:80-90 overlaps ports 90-99 of service 'a'"},
    {"range within a range",
     [](auto& c) {
       add(c, "a", proto::TCP, 80, proto::GUE).set_last_port(99);
       add(c, "b", proto::TCP, 85, proto::GUE).set_last_port(86);
     },
     "services[1].port: tcp 203.0.113.10:85-86 overlaps ports 80-99 of service 'a'"},
    {"backend in a VIP prefix",
     [](auto& c) { add(c, "a", proto::TCP, 80, proto::GUE).set_vip("10.0.0.0/31"); },
     "services[0].backends[0].address: 10.0.0.1 lies in 10.0.0.0/31, the VIP prefix of service 'a': a "
     "backend needs an address of its own"},
    {"backend in a VIP prefix, IPv6",
     [](auto& c) {
       auto& service = add(c, "a", proto::TCP, 80, proto::GUE);
       service.set_vip("2001:db8:0:4::/62");
       service.mutable_backends(1)->set_address("2001:db8:0:7:ffff::1");
     },
     "services[0].backends[1].address: 2001:db8:0:7:ffff::1 lies in 2001:db8:0:4::/62, the VIP prefix of "
     "service 'a': a backend needs an address of its own"},
};

TEST(ValidateModes, RefusesEachFaultWithItsFieldAndNothingElse) {
  for (const Bad& bad : kBad) {
    Config config = empty();
    bad.make(config);
    EXPECT_THAT(texts(validate(config)), testing::ElementsAre(bad.refusal)) << bad.what;
  }
}

}  // namespace
}  // namespace penstock

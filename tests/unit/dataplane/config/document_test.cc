// What a configuration may say, and how each thing that it may not say is refused.

#include "dataplane/config/document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "penstock/proto/config.pb.h"

namespace penstock {
namespace {

proto::DataplaneConfig good() {
  proto::DataplaneConfig config;
  config.set_epoch(5);
  config.set_generation(7);
  config.set_hash_key(std::string(32, 'k'));
  for (const char* id : {"web", "echo"}) {
    proto::Service* service = config.add_services();
    service->set_id(id);
    service->set_vip("203.0.113.10");
    service->set_protocol(std::string(id) == "web" ? proto::TCP : proto::UDP);
    service->set_port(80);
    service->set_encap(proto::GUE);
    for (int i = 1; i <= 3; ++i) {
      proto::Backend* backend = service->add_backends();
      backend->set_id("be" + std::to_string(i));
      backend->set_address("10.0.0." + std::to_string(i));
      backend->set_weight(static_cast<std::uint32_t>(i));
    }
  }
  return config;
}

std::vector<std::string> texts(const Validation& v) {
  std::vector<std::string> out;
  for (const Error& e : v.problems) out.push_back(e.text());
  return out;
}

TEST(Validate, AcceptsAGoodDocumentWhole) {
  proto::DataplaneConfig config = good();
  config.mutable_services(1)->set_vip("2001:db8::10");
  config.mutable_services(1)->set_encap(proto::IPIP);
  config.mutable_services(1)->mutable_backends(2)->set_drain(true);
  config.mutable_services(1)->mutable_idle_timeouts()->set_udp_seconds(86'400);
  const Validation v = validate(config);
  ASSERT_THAT(texts(v), testing::IsEmpty());
  EXPECT_EQ(v.document.epoch, 5U);
  EXPECT_EQ(v.document.generation, 7U);
  EXPECT_EQ(v.document.hash_key[31], 'k');
  ASSERT_EQ(v.document.services.size(), 2U);
  const ServiceDocument& echo = v.document.services[1];
  EXPECT_EQ(echo.key.text(), "udp [2001:db8::10]:80");
  EXPECT_EQ(echo.encap, Encap::kIpip);
  EXPECT_EQ(echo.table_size, 5003U);
  EXPECT_EQ(echo.idle.udp, 86'400U);
  EXPECT_EQ(echo.idle.tcp_established, 900U);
  EXPECT_EQ(echo.backends[1].effective_weight(), 2U);
  EXPECT_EQ(echo.backends[2].effective_weight(), 0U);
}

TEST(Validate, AcceptsServicesWithoutAnyWillingBackend) {
  proto::DataplaneConfig config = good();
  for (proto::Backend& b : *config.mutable_services(0)->mutable_backends()) b.set_weight(0);
  for (proto::Backend& b : *config.mutable_services(1)->mutable_backends()) b.set_drain(true);
  EXPECT_TRUE(validate(config).ok());
}

TEST(Validate, AcceptsAConfigurationWithoutServices) {
  proto::DataplaneConfig config = good();
  config.clear_services();
  EXPECT_TRUE(validate(config).ok());
}

struct Bad {
  const char* what;
  std::function<void(proto::DataplaneConfig&)> change;
  const char* refusal;
};

proto::Service& web(proto::DataplaneConfig& c) { return *c.mutable_services(0); }

const Bad kBad[] = {
    {"generation", [](auto& c) { c.set_generation(0); }, "generation: must be greater than 0"},
    {"short key", [](auto& c) { c.set_hash_key("secret"); }, "hash_key: must be 32 bytes, not 6"},
    {"long key", [](auto& c) { c.set_hash_key(std::string(33, 'k')); }, "hash_key: must be 32 bytes, not 33"},
    {"id", [](auto& c) { web(c).set_id("Web"); },
     "services[0].id: 'Web' must be 1-63 lower-case letters, digits and inner hyphens"},
    {"same service id", [](auto& c) { c.mutable_services(1)->set_id("web"); },
     "services[1].id: 'web' occurs twice"},
    {"VIP not an address", [](auto& c) { web(c).set_vip("example.org"); },
     "services[0].vip: 'example.org' is not an IPv4 or IPv6 address or prefix"},
    {"prefix with host bits", [](auto& c) { web(c).set_vip("203.0.113.10/24"); },
     "services[0].vip: '203.0.113.10/24' has bits behind the prefix: write 203.0.113.0/24"},
    {"prefix with one host bit", [](auto& c) { web(c).set_vip("2001:db8::1/127"); },
     "services[0].vip: '2001:db8::1/127' has bits behind the prefix: write 2001:db8::/127"},
    {"prefix of no address", [](auto& c) { web(c).set_vip("/24"); },
     "services[0].vip: '/24' is not an IPv4 or IPv6 address or prefix"},
    {"prefix too short", [](auto& c) { web(c).set_vip("16.0.0.0/7"); },
     "services[0].vip: '16.0.0.0/7' must have a prefix length of 8–32"},
    {"prefix too long", [](auto& c) { web(c).set_vip("203.0.113.0/33"); },
     "services[0].vip: '203.0.113.0/33' must have a prefix length of 8–32"},
    {"IPv6 prefix too short", [](auto& c) { web(c).set_vip("2001::/15"); },
     "services[0].vip: '2001::/15' must have a prefix length of 16–128"},
    {"IPv6 prefix too long", [](auto& c) { web(c).set_vip("2001:db8::/129"); },
     "services[0].vip: '2001:db8::/129' must have a prefix length of 16–128"},
    {"prefix without a length", [](auto& c) { web(c).set_vip("203.0.113.0/"); },
     "services[0].vip: '203.0.113.0/' must have a prefix length of 8–32"},
    {"prefix length with a zero in front", [](auto& c) { web(c).set_vip("203.0.113.0/024"); },
     "services[0].vip: '203.0.113.0/024' must have a prefix length of 8–32"},
    {"prefix length with a sign", [](auto& c) { web(c).set_vip("203.0.113.0/+24"); },
     "services[0].vip: '203.0.113.0/+24' must have a prefix length of 8–32"},
    {"prefix with a mask", [](auto& c) { web(c).set_vip("203.0.113.0/255.255.255.0"); },
     "services[0].vip: '203.0.113.0/255.255.255.0' must have a prefix length of 8–32"},
    {"multicast prefix", [](auto& c) { web(c).set_vip("224.0.0.0/8"); },
     "services[0].vip: '224.0.0.0/8' is not a unicast address of a host"},
    {"prefix with the loopback address", [](auto& c) { web(c).set_vip("::/64"); },
     "services[0].vip: '::/64' is not a unicast address of a host"},
    {"prefix that reaches into the mapped addresses", [](auto& c) { web(c).set_vip("::fffe:0:0/95"); },
     "services[0].vip: '::fffe:0:0/95' is an IPv4-mapped address: write it as IPv4"},
    {"VIP multicast", [](auto& c) { web(c).set_vip("224.0.0.5"); },
     "services[0].vip: '224.0.0.5' is not a unicast address of a host"},
    {"VIP unspecified", [](auto& c) { web(c).set_vip("::"); },
     "services[0].vip: '::' is not a unicast address of a host"},
    {"VIP mapped", [](auto& c) { web(c).set_vip("::ffff:1.2.3.4"); },
     "services[0].vip: '::ffff:1.2.3.4' is an IPv4-mapped address: write it as IPv4"},
    {"no protocol", [](auto& c) { web(c).clear_protocol(); },
     "services[0].protocol: must be TCP (6), UDP (17), SCTP (132) or ANY_PROTOCOL (255), not 0"},
    {"unknown protocol", [](auto& c) { web(c).set_protocol(static_cast<proto::Protocol>(47)); },
     "services[0].protocol: must be TCP (6), UDP (17), SCTP (132) or ANY_PROTOCOL (255), not 47"},
    {"port", [](auto& c) { web(c).set_port(65'536); },
     "services[0].port: must be 1-65535, or 0 for every port, not 65536"},
    {"port of any protocol", [](auto& c) { web(c).set_protocol(proto::ANY_PROTOCOL); },
     "services[0].port: must be 0 with ANY_PROTOCOL, which has no ports, not 80"},
    {"last port of every port",
     [](auto& c) {
       web(c).set_port(0);
       web(c).set_last_port(90);
     },
     "services[0].last_port: must be 0 when port is 0, which means every port"},
    {"range of one port", [](auto& c) { web(c).set_last_port(80); },
     "services[0].last_port: must be 0 or 81-65535, beyond port, not 80"},
    {"range beyond the last port", [](auto& c) { web(c).set_last_port(65'536); },
     "services[0].last_port: must be 0 or 81-65535, beyond port, not 65536"},
    {"no encap", [](auto& c) { web(c).clear_encap(); },
     "services[0].encap: must be GUE (1), IPIP (2), GRE (3), VXLAN (4), L2DSR (5) or NAT (6), not 0"},
    {"unknown encap", [](auto& c) { web(c).set_encap(static_cast<proto::Encap>(9)); },
     "services[0].encap: must be GUE (1), IPIP (2), GRE (3), VXLAN (4), L2DSR (5) or NAT (6), not 9"},
    {"two services on one key", [](auto& c) { c.mutable_services(1)->set_protocol(proto::TCP); },
     "services[1].vip: tcp 203.0.113.10:80 already belongs to service 'web'"},
    {"no backends", [](auto& c) { web(c).clear_backends(); }, "services[0].backends: must not be empty"},
    {"same backend id", [](auto& c) { web(c).mutable_backends(2)->set_id("be1"); },
     "services[0].backends[2].id: 'be1' occurs twice in this service"},
    {"backend id", [](auto& c) { web(c).mutable_backends(2)->clear_id(); },
     "services[0].backends[2].id: '' must be 1-63 lower-case letters, digits and inner hyphens"},
    {"same backend address", [](auto& c) { web(c).mutable_backends(1)->set_address("10.0.0.1"); },
     "services[0].backends[1].address: 10.0.0.1 is already the address of backend 'be1'"},
    {"backend address", [](auto& c) { web(c).mutable_backends(1)->set_address("10.0.0"); },
     "services[0].backends[1].address: '10.0.0' is not an IPv4 or IPv6 address"},
    {"backend loopback", [](auto& c) { web(c).mutable_backends(1)->set_address("127.0.0.1"); },
     "services[0].backends[1].address: '127.0.0.1' is not a unicast address of a host"},
    {"backend is a VIP", [](auto& c) { web(c).mutable_backends(1)->set_address("203.0.113.10"); },
     "services[0].backends[1].address: 203.0.113.10 is the VIP of service 'web': a backend needs an address "
     "of its "
     "own"},
    {"weight", [](auto& c) { web(c).mutable_backends(0)->set_weight(1001); },
     "services[0].backends[0].weight: must be 0-1000, not 1001"},
    {"table not prime", [](auto& c) { web(c).set_table_size(1000); },
     "services[0].table_size: 1000 is not a prime"},
    {"table too small", [](auto& c) { web(c).set_table_size(2); },
     "services[0].table_size: 2 slots are too few for 3 backends"},
    {"table too large", [](auto& c) { web(c).set_table_size(4'294'967'291); },
     "services[0].table_size: at most 16777213, not 4294967291"},
    {"timeout", [](auto& c) { web(c).mutable_idle_timeouts()->set_tcp_syn_seconds(86'401); },
     "services[0].idle_timeouts.tcp_syn_seconds: must be 0 (the default) or 1-86400 seconds, not 86401"},
};

TEST(Validate, RefusesEachFaultWithItsFieldAndNothingElse) {
  for (const Bad& bad : kBad) {
    proto::DataplaneConfig config = good();
    bad.change(config);
    EXPECT_THAT(texts(validate(config)), testing::ElementsAre(bad.refusal)) << bad.what;
  }
}

TEST(Validate, ReportsAllFaultsAtOnce) {
  proto::DataplaneConfig config = good();
  config.set_generation(0);
  web(config).set_port(70'000);
  config.mutable_services(1)->mutable_backends(2)->set_weight(5000);
  EXPECT_THAT(texts(validate(config)),
              testing::ElementsAre("generation: must be greater than 0",
                                   "services[0].port: must be 1-65535, or 0 for every port, not 70000",
                                   "services[1].backends[2].weight: must be 0-1000, not 5000"));
}

TEST(Validate, RefusesAnEmptyMessage) {
  EXPECT_THAT(
      texts(validate(proto::DataplaneConfig{})),
      testing::ElementsAre("generation: must be greater than 0", "hash_key: must be 32 bytes, not 0"));
}

TEST(Validate, RefusesMoreServicesThanTheLimit) {
  proto::DataplaneConfig config = good();
  const proto::Service first = config.services(0);
  config.clear_services();
  for (std::size_t i = 0; i <= kMaxServices; ++i) {
    proto::Service* s = config.add_services();
    *s = first;
    s->set_id("s" + std::to_string(i));
    s->set_port(static_cast<std::uint32_t>(i + 1));
  }
  EXPECT_THAT(texts(validate(config)), testing::ElementsAre("services: at most 10000, not 10001"));
}

}  // namespace
}  // namespace penstock

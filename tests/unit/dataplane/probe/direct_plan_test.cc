#include "dataplane/probe/direct_plan.h"

#include <gtest/gtest.h>

#include "dataplane/config/compiler.h"
#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

ServiceDocument checked(const char* id, const char* vip, Encap encap, DirectCheckDocument check = {}) {
  BackendDocument backend;
  backend.id = std::string(id) + "-be";
  backend.address = ip("10.0.0.21");
  backend.mac = {{2, 0, 0, 0, 0, 0xc0}};
  ServiceDocument out = service(id, vip, kProtoTcp, 80, encap, {backend});
  out.health.direct_check = std::move(check);
  return out;
}

DirectPlan plan_of(std::vector<ServiceDocument> services) {
  Document document;
  document.generation = 1;
  document.services = std::move(services);
  Compiler compiler({ip("192.0.2.100")});
  const NextHops hops = {{ip("10.0.0.21"), next_hop(false)}};
  auto snapshot = compiler.compile(document, hops, Nanoseconds::from_seconds(1));
  EXPECT_TRUE(snapshot);
  return make_direct_plan(document, **snapshot);
}

TEST(DirectPlan, LeavesOutWhatCannotOrMustNotBeChecked) {
  DirectCheckDocument with_port;
  with_port.port = 8080;
  DirectCheckDocument long_one;
  long_one.kind = DirectCheckKind::kHttp;
  long_one.path = "/" + std::string(kMaxDirectRequest, 'x');
  ServiceDocument off = checked("off", "203.0.113.1", Encap::kIpip);
  off.health.direct = DirectChecks::kOff;
  ServiceDocument without = checked("without", "203.0.113.2", Encap::kIpip);
  without.health.direct_check.reset();
  ServiceDocument every_port = checked("every", "203.0.113.3", Encap::kIpip);
  every_port.key.port = 0;
  ServiceDocument its_own_port = checked("own", "203.0.113.4", Encap::kIpip, with_port);
  its_own_port.key.port = 0;
  ServiceDocument resting = checked("resting", "203.0.113.5", Encap::kIpip);
  resting.backends[0].maintenance = true;
  ServiceDocument prefix = checked("prefix", "198.51.100.0", Encap::kIpip);
  prefix.key.prefix_length = 24;
  const DirectPlan plan = plan_of({off, without, every_port, its_own_port, resting, prefix,
                                   checked("long", "203.0.113.6", Encap::kIpip, long_one),
                                   checked("plain", "203.0.113.7", Encap::kGre)});
  std::vector<std::string> found;
  for (const DirectTarget& target : plan.targets)
    found.push_back(plan.services[target.service].service.id + " " + std::to_string(target.port));
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, (std::vector<std::string>{"own 8080", "plain 80", "prefix 80"}));
}

TEST(DirectPlan, SaysWhereACheckGoesAndWhoIsWaitedFor) {
  ServiceDocument nat = checked("nat", "203.0.113.2", Encap::kNat);
  nat.backends[0].port = 8081;
  ServiceDocument always = checked("always", "203.0.113.3", Encap::kGue);
  always.health.direct = DirectChecks::kAlways;
  const DirectPlan plan = plan_of(
      {checked("gue", "203.0.113.1", Encap::kGue), nat, always, checked("l2", "203.0.113.4", Encap::kL2dsr)});
  ASSERT_EQ(plan.targets.size(), 4U);
  for (const DirectTarget& target : plan.targets) {
    const DirectService& service = plan.services[target.service];
    const std::string id = service.service.id;
    EXPECT_EQ(target.address, id == "nat" ? ip("10.0.0.21") : service.service.key.vip) << id;
    EXPECT_EQ(target.port, id == "nat" ? 8081 : 80) << id;
    EXPECT_EQ(service.probed, id == "gue" || id == "always") << id;
    EXPECT_EQ(service.always, id == "always");
    EXPECT_EQ(target.host.address, ip("10.0.0.21"));
  }
}

TEST(DirectPlan, WritesRequestsOut) {
  DirectCheckDocument http, udp;
  http.kind = DirectCheckKind::kHttp;
  http.method = "HEAD";
  http.path = "/healthz";
  udp.kind = DirectCheckKind::kUdpExchange;
  udp.send = std::string("\0ping", 5);
  ServiceDocument proxied = checked("proxied", "203.0.113.2", Encap::kNat, http);
  proxied.forwarding.proxy_protocol = true;
  proxied.health.direct_check->host = "example.org";
  const DirectPlan plan = plan_of({checked("http", "2001:db8::10", Encap::kIpip, http), proxied,
                                   checked("udp", "203.0.113.3", Encap::kIpip, udp),
                                   checked("tcp", "203.0.113.4", Encap::kIpip)});
  std::map<std::string, std::string> requests;
  for (const DirectService& service : plan.services) requests[service.service.id] = service.request;
  EXPECT_EQ(
      requests["http"],
      "HEAD /healthz HTTP/1.1\r\nHost: [2001:db8::10]\r\nUser-Agent: penstock\r\nConnection: close\r\n\r\n");
  // The PROXY protocol's specification, section 2.2: signature, version 2 and LOCAL, unspecified, nothing
  // more.
  const std::string local("\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x20\x00\x00\x00", 16);
  EXPECT_EQ(requests["proxied"].substr(0, 16), local);
  EXPECT_EQ(requests["proxied"].substr(16, 47), "HEAD /healthz HTTP/1.1\r\nHost: example.org\r\nUser");
  EXPECT_EQ(requests["udp"], udp.send);
  EXPECT_EQ(requests["tcp"], "");
}

}  // namespace
}  // namespace penstock::test

#include "controlplane/ctl/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace penstock {
namespace {

using ::testing::HasSubstr;

TEST(ServiceAndBackend, SplitsAtTheOneSlash) {
  auto names = service_and_backend("web/be1");
  ASSERT_TRUE(names);
  EXPECT_EQ(*names, std::pair(std::string("web"), std::string("be1")));
  for (const char* text : {"web", "/be1", "web/", "a/b/c", ""})
    EXPECT_FALSE(service_and_backend(text)) << text;
}

TEST(Tables, ShowWhatTheDocumentsHold) {
  const Json services =
      Json::parse(R"([{"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,"encap":"gue","policy":"latency",
      "backends":[{"id":"be1","address":"10.0.31.2","weight":1,"drain":false,"maintenance":true},
                  {"id":"be2","address":"10.0.32.2","port":8080,"weight":2,"weight_override":0,"drain":true,
                   "drain_deadline":"2026-11-28T10:00:00Z","drain_policy":"reset"}]}])");
  EXPECT_EQ(services_table(services),
            "SERVICE  VIP           PROTOCOL  PORT  ENCAP  BACKENDS  DRAINED  POLICY\n"
            "web      203.0.113.10  tcp         80  gue           2        1  latency\n");
  EXPECT_EQ(backends_table(services),
            "SERVICE  BACKEND  ADDRESS    PORT  WEIGHT  OVERRIDE  DRAIN  MAINTENANCE  DEADLINE\n"
            "web      be1      10.0.31.2     -       1         -  no     yes          -\n"
            "web      be2      10.0.32.2  8080       2         0  yes    -            2026-11-28T10:00:00Z reset\n");
  EXPECT_EQ(
      gateways_table(Json::parse(R"([{"id":"gw1","announce":true,"connected":true,"version":"0.1.0",
      "generation":12,"dataplane_alive":false,"announced_vips":["203.0.113.10","2001:db8::10"],"med":100,
      "drain":{"phase":"none"},"last_seen_seconds_ago":0.4},
      {"id":"gw2","med":0,"drain":{"phase":"withdrawn"},"upgrade":{"phase":"done"}},
      {"id":"gw3","med":0,"drain":{"phase":"draining"},"upgrade":{"phase":"draining"}}])")),
      "GATEWAY  ANNOUNCE  MED  PHASE             CONNECTED  DATAPLANE  GENERATION  ANNOUNCED VIPS           "
      "   SEEN  VERSION\n"
      "gw1      yes       100  -                 yes        dead               12  203.0.113.10,2001:db8::10"
      "  0.4 s  0.1.0\n"
      "gw2      -           0  withdrawn         -          -                   -  -                        "
      "      -  -\n"
      "gw3      -           0  upgrade draining  -          -                   -  -                        "
      "      -  -\n");
  EXPECT_THAT(nodes_table(Json::parse(
                  R"([{"id":"be1","state":"agent_lost","connected":false,"addresses":["10.0.31.2"],
      "interfaces":[{"name":"eth0","xdp_mode":"native"}],"services":[{}],"errors":[]}])")),
              HasSubstr("be1   agent_lost  no         10.0.31.2  eth0:native         1  -"));
}

TEST(Tables, ServicesShowPrefixesAndPortTexts) {
  EXPECT_EQ(services_table(Json::parse(R"([
      {"id":"a","vip":"203.0.113.0/24","protocol":"any","port":"*","encap":"l2dsr","backends":[{}]},
      {"id":"b","vip":"2001:db8::10","protocol":"udp","port":"8000-8999","encap":"nat","backends":[{}]}])")),
            "SERVICE  VIP             PROTOCOL       PORT  ENCAP  BACKENDS  DRAINED  POLICY\n"
            "a        203.0.113.0/24  any               *  l2dsr         1        0  static\n"
            "b        2001:db8::10    udp       8000-8999  nat           1        0  static\n");
}

TEST(Tables, UnknownOrMissingMembersAreNoError) {
  for (const char* text : {"[]", "[{}]", "[null]", "[{\"backends\":3,\"id\":[1]}]", "[{\"id\":{\"x\":1}}]"}) {
    const Json documents = Json::parse(text);
    EXPECT_FALSE(services_table(documents).empty());
    EXPECT_FALSE(backends_table(documents).empty());
    EXPECT_FALSE(gateways_table(documents).empty());
    EXPECT_FALSE(nodes_table(documents).empty());
  }
}

}  // namespace
}  // namespace penstock

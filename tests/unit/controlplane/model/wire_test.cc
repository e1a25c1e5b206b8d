#include "controlplane/model/wire.h"

#include <gtest/gtest.h>

#include "controlplane/model/service_document.h"
#include "controlplane/model/strict_json.h"

namespace penstock {
namespace {

DesiredState two_services() {
  Problems problems;
  const auto document = parse_json(R"({"services":[
    {"id":"web","vip":"203.0.113.10","protocol":"tcp","port":80,"table_size":10007,"idle_timeouts":{"udp_seconds":7},
     "backends":[{"id":"be1","address":"10.0.31.2","weight":3},{"id":"be2","address":"10.0.32.2","drain":true}]},
    {"id":"echo","vip":"2001:db8::10","protocol":"udp","port":7,"encap":"ipip",
     "backends":[{"id":"be1","address":"fd00:31::2"}]}]})",
                                   problems);
  const auto services = parse_services(*document, problems);
  EXPECT_TRUE(services) << text(problems);
  Change change;
  for (const Service& s : *services) change.put_services.push_back(std::make_shared<const Service>(s));
  DesiredState state;
  state.epoch = 42;
  state.generation = 6;
  state.hash_key.fill(0xab);
  return apply(state, change);
}

TEST(Wire, ADataplaneGetsEverythingAndInTheOrderOfIds) {
  const proto::DataplaneConfig config = to_dataplane_config(two_services());
  EXPECT_EQ(config.epoch(), 42u);
  EXPECT_EQ(config.generation(), 7u);
  EXPECT_EQ(config.hash_key(), std::string(32, '\xab'));
  ASSERT_EQ(config.services_size(), 2);
  EXPECT_EQ(config.services(0).ShortDebugString(),
            "id: \"echo\" vip: \"2001:db8::10\" protocol: UDP port: 7 encap: IPIP "
            "backends { id: \"be1\" address: \"fd00:31::2\" weight: 1 } idle_timeouts { tcp_syn_seconds: 10 "
            "tcp_established_seconds: 900 tcp_closing_seconds: 30 udp_seconds: 60 }");
  EXPECT_EQ(config.services(1).ShortDebugString(),
            "id: \"web\" vip: \"203.0.113.10\" protocol: TCP port: 80 encap: GUE "
            "backends { id: \"be1\" address: \"10.0.31.2\" weight: 3 } "
            "backends { id: \"be2\" address: \"10.0.32.2\" weight: 1 drain: true } table_size: 10007 "
            "idle_timeouts { tcp_syn_seconds: 10 tcp_established_seconds: 900 tcp_closing_seconds: 30 "
            "udp_seconds: 7 }");
}

TEST(Wire, ANodeGetsTheServicesThatHaveABackendAtAnyOfItsAddresses) {
  const NodeIndex index(two_services());
  const std::vector<IpAddr> be1 = {*IpAddr::parse("10.0.31.2"), *IpAddr::parse("fd00:31::2")};
  const proto::NodeDirective both = index.directive(be1);
  EXPECT_EQ(both.generation(), 7u);
  ASSERT_EQ(both.services_size(), 2);
  EXPECT_EQ(both.services(0).ShortDebugString(), "vip: \"203.0.113.10\" protocol: TCP port: 80 encap: GUE");
  EXPECT_EQ(both.services(1).ShortDebugString(), "vip: \"2001:db8::10\" protocol: UDP port: 7 encap: IPIP");
  const std::vector<IpAddr> be2 = {*IpAddr::parse("10.0.32.2")};
  EXPECT_EQ(index.directive(be2).services_size(), 1) << "a draining backend still gets its established flows";
  const std::vector<IpAddr> stranger = {*IpAddr::parse("10.9.9.9")};
  EXPECT_EQ(index.directive(stranger).services_size(), 0);
}

TEST(Wire, AServiceIsNamedOnceForANodeWithTwoOfItsBackends) {
  const NodeIndex index(two_services());
  const std::vector<IpAddr> both = {*IpAddr::parse("10.0.31.2"), *IpAddr::parse("10.0.32.2")};
  EXPECT_EQ(index.directive(both).services_size(), 1);
}

}  // namespace
}  // namespace penstock

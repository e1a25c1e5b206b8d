#include "controlplane/model/wire.h"

#include <gtest/gtest.h>

#include "controlplane/model/service_document.h"
#include "controlplane/model/service_names.h"
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

TEST(Wire, AnOverrideIsTheConfiguredWeightOnlyWhereNoPolicyMovesWeights) {
  const DesiredState state = two_services();
  Service web = *state.services.at("web");
  web.backends[0].weight_override = 0;
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(web));
  EXPECT_EQ(to_dataplane_config(apply(state, change)).services(1).backends(0).weight(), 0u);
  web.policy = "least-load";
  change.put_services = {std::make_shared<const Service>(web)};
  EXPECT_EQ(to_dataplane_config(apply(state, change)).services(1).backends(0).weight(), 3u);
}

TEST(Wire, ANodeGetsTheServicesThatHaveABackendAtAnyOfItsAddresses) {
  const NodeIndex index(two_services());
  const std::vector<IpAddr> be1 = {*IpAddr::parse("10.0.31.2"), *IpAddr::parse("fd00:31::2")};
  const proto::NodeDirective both = index.directive(be1);
  EXPECT_EQ(both.generation(), 7u);
  ASSERT_EQ(both.services_size(), 2);
  EXPECT_EQ(both.services(0).ShortDebugString(),
            "vip: \"203.0.113.10\" protocol: TCP port: 80 encap: GUE overhead: 48 service: \"web\"");
  EXPECT_EQ(both.services(1).ShortDebugString(),
            "vip: \"2001:db8::10\" protocol: UDP port: 7 encap: IPIP service: \"echo\"");
  const std::vector<IpAddr> be2 = {*IpAddr::parse("10.0.32.2")};
  EXPECT_EQ(index.directive(be2).services_size(), 1) << "a draining backend still gets its established flows";
  const std::vector<IpAddr> stranger = {*IpAddr::parse("10.9.9.9")};
  EXPECT_EQ(index.directive(stranger).services_size(), 0);
}

DesiredState state_of(const char* services_json) {
  Problems problems;
  const auto services = parse_services(*parse_json(services_json, problems), problems);
  EXPECT_TRUE(services) << text(problems);
  Change change;
  for (const Service& s : *services) change.put_services.push_back(std::make_shared<const Service>(s));
  return apply(DesiredState{}, change);
}

constexpr const char* kOptions = R"({"services":[
    {"id":"dns","vip":"203.0.113.0/24","protocol":"udp","port":"53-54","one_shot":true,
     "affinity":{"ipv4_prefix":24,"ipv6_prefix":56},"forwarding":{"udp_checksum":true,"too_big":"fragment"},
     "backends":[{"id":"a","address":"10.0.0.1"}]},
    {"id":"quic","vip":"203.0.113.9","protocol":"udp","port":443,"quic":{"configs":[{"rotation":2,
      "server_id_length":1,"nonce_length":4,"key":"41424344454647484142434445464748"}]},
     "backends":[{"id":"a","address":"10.0.0.1","quic_server_id":"61"}]},
    {"id":"rest","vip":"203.0.113.9","protocol":"any","port":"*","encap":"vxlan","forwarding":{"vxlan_vni":42},
     "backends":[{"id":"a","address":"10.0.0.1","mac":"02:00:00:00:00:01"}]},
    {"id":"web","vip":"203.0.113.9","protocol":"tcp","port":80,"encap":"nat","forwarding":{"proxy_protocol":true},
     "backends":[{"id":"a","address":"10.0.0.1","port":8080}]}]})";

/// The service without what every service has.
std::string options(proto::Service service) {
  service.clear_idle_timeouts();
  service.clear_id();
  for (proto::Backend& b : *service.mutable_backends()) {
    b.clear_id();
    b.clear_address();
    b.clear_weight();
  }
  return service.ShortDebugString();
}

TEST(Wire, EveryOptionTravels) {
  const proto::DataplaneConfig config = to_dataplane_config(state_of(kOptions));
  ASSERT_EQ(config.services_size(), 4);
  EXPECT_EQ(options(config.services(0)),
            "vip: \"203.0.113.0/24\" protocol: UDP port: 53 encap: GUE backends { } last_port: 54 "
            "forwarding { udp_checksum: true too_big: TOO_BIG_FRAGMENT } "
            "affinity { ipv4_prefix: 24 ipv6_prefix: 56 } one_shot: true");
  EXPECT_EQ(options(config.services(1)),
            "vip: \"203.0.113.9\" protocol: UDP port: 443 encap: GUE backends { quic_server_id: \"a\" } "
            "quic { configs { rotation: 2 server_id_length: 1 nonce_length: 4 key: \"ABCDEFGHABCDEFGH\" } }");
  EXPECT_EQ(
      options(config.services(2)),
      "vip: \"203.0.113.9\" protocol: ANY_PROTOCOL encap: VXLAN backends { mac: \"02:00:00:00:00:01\" } "
      "forwarding { vxlan_vni: 42 }");
  EXPECT_EQ(options(config.services(3)),
            "vip: \"203.0.113.9\" protocol: TCP port: 80 encap: NAT backends { port: 8080 } "
            "forwarding { proxy_protocol: true }");
}

TEST(Wire, ANodeHearsOfPrefixesAndRangesButNotOfNat) {
  const std::vector<IpAddr> node = {*IpAddr::parse("10.0.0.1")};
  const proto::NodeDirective directive = NodeIndex(state_of(kOptions)).directive(node);
  ASSERT_EQ(directive.services_size(), 3);
  EXPECT_EQ(directive.services(0).ShortDebugString(),
            "vip: \"203.0.113.0/24\" protocol: UDP port: 53 encap: GUE last_port: 54 service: \"dns\"");
  EXPECT_EQ(directive.services(2).ShortDebugString(),
            "vip: \"203.0.113.9\" protocol: ANY_PROTOCOL encap: VXLAN overhead: 50 service: \"rest\"");
}

TEST(Wire, ANodeHearsHowMuchRoomItsClientsHaveToLeave) {
  struct Case {
    const char* service;
    const char* backend;
    std::uint32_t overhead;
  };
  for (const Case& c : {Case{R"("encap":"gue")", "10.0.0.1", 20 + 8 + 4 + 4 + 3 * 4},
                        {R"("encap":"gue")", "2001:db8::1", 40 + 8 + 4 + 4 + 3 * 16},
                        {R"("encap":"gue","second_chance":"off")", "10.0.0.1", 20 + 8 + 4 + 4},
                        {R"("encap":"gue","protocol":"any","port":"*")", "10.0.0.1", 20 + 8 + 4 + 4},
                        {R"("encap":"ipip")", "10.0.0.1", 20},
                        {R"("encap":"gre")", "10.0.0.1", 20 + 4},
                        {R"("encap":"gre","forwarding":{"gre_key":1})", "2001:db8::1", 40 + 8},
                        {R"("encap":"gue","forwarding":{"too_big":"fragment"})", "10.0.0.1", 0},
                        {R"("encap":"l2dsr")", "10.0.0.1", 0}}) {
    const std::string document =
        std::string(R"({"services":[{"id":"a","vip":"203.0.113.9",)") +
        (std::string(c.service).find("protocol") == std::string::npos ? R"("protocol":"tcp","port":80,)"
                                                                      : "") +
        c.service + R"(,"backends":[{"id":"a","address":")" + c.backend + "\"}]}]}";
    const std::vector<IpAddr> node = {*IpAddr::parse(c.backend)};
    const proto::NodeDirective directive = NodeIndex(state_of(document.c_str())).directive(node);
    ASSERT_EQ(directive.services_size(), 1);
    EXPECT_EQ(directive.services(0).overhead(), c.overhead) << document;
  }
}

TEST(Wire, OnlyADrainThatResetsHasATimeForTheDataplane) {
  const proto::DataplaneConfig config = to_dataplane_config(
      state_of(R"({"services":[{"id":"a","vip":"203.0.113.9","protocol":"tcp","port":80,"backends":[
        {"id":"a","address":"10.0.0.1","drain":true,"drain_deadline":"2026-11-27T23:41:00Z","drain_policy":"reset"},
        {"id":"b","address":"10.0.0.2","drain":true,"drain_deadline":"2026-11-27T23:41:00Z"},
        {"id":"c","address":"10.0.0.3","drain":true}]}]})"));
  const auto& backends = config.services(0).backends();
  EXPECT_EQ(backends[0].reset_after_unix_seconds(), 1'795'822'860u);
  EXPECT_EQ(backends[1].reset_after_unix_seconds(), 0u);
  EXPECT_EQ(backends[2].reset_after_unix_seconds(), 0u);
}

TEST(Wire, SecondChanceTravelsAndNodesSearchUdpOnlyWhereItIsGiven) {
  const DesiredState state = state_of(R"({"services":[
    {"id":"a","vip":"203.0.113.9","protocol":"tcp","port":80,"second_chance":"off","backends":[{"id":"a","address":"10.0.0.1"}]},
    {"id":"b","vip":"203.0.113.9","protocol":"tcp","port":81,"backends":[{"id":"a","address":"10.0.0.1"}]},
    {"id":"c","vip":"203.0.113.9","protocol":"udp","port":82,"second_chance":"tcp+udp",
     "backends":[{"id":"a","address":"10.0.0.1"}]}]})");
  const proto::DataplaneConfig config = to_dataplane_config(state);
  EXPECT_EQ(config.services(0).second_chance(), proto::SECOND_CHANCE_OFF);
  EXPECT_EQ(config.services(1).second_chance(), proto::SECOND_CHANCE_TCP);
  EXPECT_EQ(config.services(2).second_chance(), proto::SECOND_CHANCE_TCP_AND_UDP);
  const std::vector<IpAddr> node = {*IpAddr::parse("10.0.0.1")};
  const proto::NodeDirective directive = NodeIndex(state).directive(node);
  ASSERT_EQ(directive.services_size(), 3);
  EXPECT_FALSE(directive.services(0).search_udp());
  EXPECT_FALSE(directive.services(1).search_udp());
  EXPECT_TRUE(directive.services(2).search_udp());
}

// printf 'penstock probe' | openssl dgst -sha256 -mac HMAC -macopt hexkey:abab…ab (32 octets)
TEST(Wire, ANodeGetsTheKeyOfProbesAndNotTheSecret) {
  const std::vector<IpAddr> node = {*IpAddr::parse("10.0.31.2")};
  const std::string key = NodeIndex(two_services()).directive(node).probe_key();
  EXPECT_EQ(hex(reinterpret_cast<const std::uint8_t*>(key.data()), key.size()),
            "c88cfa02e16ddf91708a12e8e41336d9");
}

TEST(Wire, AServiceIsNamedOnceForANodeWithTwoOfItsBackends) {
  const NodeIndex index(two_services());
  const std::vector<IpAddr> both = {*IpAddr::parse("10.0.31.2"), *IpAddr::parse("10.0.32.2")};
  EXPECT_EQ(index.directive(both).services_size(), 1);
}

TEST(Wire, HealthSaysOnlyWhatDiffersFromTheDefault) {
  const proto::DataplaneConfig config = to_dataplane_config(state_of(R"({"services":[
    {"id":"a","vip":"203.0.113.9","protocol":"tcp","port":80,"backends":[{"id":"a","address":"10.0.0.1","maintenance":true}]},
    {"id":"b","vip":"203.0.113.9","protocol":"tcp","port":81,"backends":[{"id":"a","address":"10.0.0.1"}],
     "health":{"checks":[{"type":"http"}],"hot":{"queue_percent":70},"slow_start":{"duration_ms":0}}},
    {"id":"c","vip":"203.0.113.9","protocol":"udp","port":82,"backends":[{"id":"a","address":"10.0.0.1"}],
     "health":{"direct":"always","rise":1,"fall":4,"hold_ms":500,"max_hold_ms":7000,"all_down":"reset","panic_percent":30,
      "hot":{"enabled":false,"response_ms":20,"queue_percent":70,"utilization_percent":95},
      "breaker":{"enabled":false,"failure_percent":40,"latency_factor":5,"probe_loss_percent":80,"open_ms":900,
       "half_open_percent":6,"max_open_percent":60},
      "slow_start":{"duration_ms":3000,"initial_percent":20,"exponent":1.5},
      "checks":[{"type":"https","name":"front","port":8443,"path":"/x","host":"h","method":"HEAD","statuses":"200,301-302",
       "headers":{"X-Role":"p"},"verify_tls":true,"interval_ms":100,"timeout_ms":50,"rise":3,"fall":1},
       {"type":"udp","send":"41","expect":"42"},{"type":"http","port":1,"body_contains":"ok"},
       {"type":"grpc","port":2,"grpc_service":"s"},{"type":"script","script":"z"},{"type":"tcp","port":3}]}}]})"));
  EXPECT_FALSE(config.services(0).has_health());
  EXPECT_TRUE(config.services(0).backends(0).maintenance());
  EXPECT_FALSE(config.services(1).backends(0).maintenance());
  EXPECT_EQ(config.services(1).health().ShortDebugString(),
            "checks { name: \"http\" kind: HTTP } hot { queue_percent: 70 } slow_start { duration_ms: 0 }");
  EXPECT_EQ(config.services(2).health().ShortDebugString(),
            "checks { name: \"front\" kind: HTTPS port: 8443 path: \"/x\" host: \"h\" method: \"HEAD\" "
            "statuses { first: 200 last: 200 } statuses { first: 301 last: 302 } "
            "headers { name: \"X-Role\" value: \"p\" } verify_tls: true interval_ms: 100 timeout_ms: 50 "
            "rise: 3 fall: 1 } "
            "checks { name: \"udp\" kind: UDP_EXCHANGE send: \"A\" expect: \"B\" } "
            "checks { name: \"http\" kind: HTTP port: 1 body_contains: \"ok\" } "
            "checks { name: \"grpc\" kind: GRPC port: 2 grpc_service: \"s\" } "
            "checks { name: \"script\" kind: SCRIPT script: \"z\" } checks { name: \"tcp\" kind: TCP_CONNECT "
            "port: 3 } "
            "direct: DIRECT_ALWAYS rise: 1 fall: 4 hold_ms: 500 max_hold_ms: 7000 all_down: ALL_DOWN_RESET "
            "panic_percent: 30 "
            "hot { off: true response_ms: 20 queue_percent: 70 utilization_percent: 95 } "
            "breaker { off: true failure_percent: 40 latency_factor: 5 probe_loss_percent: 80 open_ms: 900 "
            "half_open_percent: 6 "
            "max_open_percent: 60 } slow_start { duration_ms: 3000 initial_percent: 20 exponent: 1.5 }");
}

/// One service of the given encapsulation, with `more` members, and its node's directive.
proto::NodeDirective directive_of(const std::string& encap, const std::string& more) {
  const std::vector<IpAddr> node = {*IpAddr::parse("10.0.0.1")};
  return NodeIndex(
             state_of((R"({"services":[{"id":"a","vip":"203.0.113.9","protocol":"tcp","port":80,"encap":")" +
                       encap + R"(",)" + more + "}]}")
                          .c_str()))
      .directive(node);
}

TEST(Wire, ANodeHearsOfItsChecksAndOfNothingElseOfHealth) {
  const std::string backends =
      R"("backends":[{"id":"a","address":"10.0.0.1"},{"id":"b","address":"10.0.0.2"}])";
  const std::string check = R"({"type":"http","path":"/healthz"})";
  const auto bytes = [&](const std::string& health) {
    return directive_of("gue", backends + R"(,"health":{)" + health + "}").SerializeAsString();
  };
  const proto::NodeDirective directive =
      directive_of("gue", backends + R"(,"health":{"checks":[)" + check + "]}");
  EXPECT_EQ(directive.services(0).service(), "a");
  EXPECT_EQ(directive.services(0).checks(0).ShortDebugString(),
            "name: \"http\" kind: HTTP path: \"/healthz\"");
  EXPECT_EQ(directive.nat_targets_size(), 0);
  const std::string plain = bytes(R"("checks":[)" + check + "]");
  EXPECT_EQ(plain, bytes(R"("checks":[)" + check +
                         R"(],"all_down":"drop","direct":"off","rise":9,"hot":{"enabled":false},
                           "breaker":{"enabled":false},"slow_start":{"duration_ms":0},"panic_percent":50)"));
  EXPECT_NE(plain, bytes(R"("checks":[{"type":"http","path":"/healthz","fall":1}])"));
  EXPECT_NE(plain, bytes(""));
  EXPECT_EQ(bytes(""), bytes(R"("hold_ms":500)")) << "nothing is held where nothing is checked";
  EXPECT_EQ(directive_of("gue", backends).SerializeAsString(),
            directive_of("gue", R"("backends":[{"id":"a","address":"10.0.0.1","maintenance":true},
                                               {"id":"b","address":"10.0.0.2"}])")
                .SerializeAsString())
      << "maintenance is for gateways";
}

TEST(Wire, ANodeHearsHowLongAFailedCheckHolds) {
  const std::string health = R"("health":{"checks":[{"type":"tcp"}],"hold_ms":500,"max_hold_ms":7000},)";
  const std::string backends = R"("backends":[{"id":"a","address":"10.0.0.1"}])";
  const proto::NodeService service = directive_of("gue", health + backends).services(0);
  EXPECT_EQ(service.check_hold_ms(), 500u);
  EXPECT_EQ(service.check_max_hold_ms(), 7000u);
  const proto::NodeCheckTarget target = directive_of("nat", health + backends).nat_targets(0);
  EXPECT_EQ(target.check_hold_ms(), 500u);
  EXPECT_EQ(target.check_max_hold_ms(), 7000u);
}

TEST(Wire, ANodeChecksWhatNatSendsToItsAddresses) {
  const std::string checks = R"("health":{"checks":[{"type":"tcp"}]},)";
  const proto::NodeDirective directive = directive_of(
      "nat",
      checks + R"("backends":[{"id":"a","address":"10.0.0.1","port":8080},{"id":"b","address":"10.0.0.2"}])");
  EXPECT_EQ(directive.services_size(), 0);
  ASSERT_EQ(directive.nat_targets_size(), 1);
  EXPECT_EQ(directive.nat_targets(0).ShortDebugString(),
            "service: \"a\" address: \"10.0.0.1\" protocol: TCP port: 8080 checks { name: \"tcp\" kind: "
            "TCP_CONNECT }");
  EXPECT_EQ(
      directive_of("nat", checks + R"("backends":[{"id":"a","address":"10.0.0.1"}])").nat_targets(0).port(),
      80u)
      << "the packet keeps the VIP's port";
  EXPECT_EQ(directive_of("nat", R"("backends":[{"id":"a","address":"10.0.0.1"}])").nat_targets_size(), 0)
      << "nothing to check";
}

TEST(Wire, ANodeWithTwoAddressesChecksEachOfThem) {
  const DesiredState state =
      state_of(R"({"services":[{"id":"a","vip":"203.0.113.9","protocol":"udp","port":53,
    "encap":"nat","health":{"checks":[{"type":"udp"}]},
    "backends":[{"id":"b","address":"10.0.0.2"},{"id":"a","address":"10.0.0.1"}]}]})");
  const std::vector<IpAddr> node = {*IpAddr::parse("10.0.0.2"), *IpAddr::parse("10.0.0.1")};
  const std::vector<IpAddr> turned(node.rbegin(), node.rend());
  const NodeIndex index(state);
  ASSERT_EQ(index.directive(node).nat_targets_size(), 2);
  EXPECT_EQ(index.directive(node).SerializeAsString(), index.directive(turned).SerializeAsString())
      << "whatever order the node names its addresses in";
}

}  // namespace
}  // namespace penstock

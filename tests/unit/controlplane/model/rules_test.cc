#include "controlplane/model/rules.h"

#include <gtest/gtest.h>

#include "controlplane/model/service_document.h"
#include "penstock/config/vip_prefix.h"

namespace penstock {
namespace {

Service service(const std::string& id, const std::string& vip, std::uint16_t port,
                const std::string& backend) {
  Service out;
  out.id = id;
  const VipPrefix prefix = *parse_vip(vip);
  out.key = {prefix.first, kProtoTcp, port, 0, prefix.length};
  out.backends = {Backend{"be1", *IpAddr::parse(backend)}};
  return out;
}

DesiredState state_of(const std::vector<Service>& services) {
  Change change;
  for (const Service& s : services) change.put_services.push_back(std::make_shared<const Service>(s));
  return apply(DesiredState{}, change);
}

TEST(Rules, ASetWithDuplicatesNamesBothPlaces) {
  Problems problems;
  check_services(
      std::vector{service("a", "203.0.113.1", 80, "10.0.0.1"), service("b", "203.0.113.1", 81, "10.0.0.1"),
                  service("a", "203.0.113.2", 80, "10.0.0.1"), service("d", "203.0.113.1", 80, "10.0.0.1")},
      problems);
  EXPECT_EQ(problems, (Problems{{"services[2].id", "'a' is also the id of services[0]"},
                                {"services[3].vip", "tcp 203.0.113.1:80 is also served by services[0]"}}));
}

TEST(Rules, AVipOfOneServiceCannotBeABackendOfAnother) {
  const Service a = service("a", "203.0.113.1", 80, "10.0.0.1");
  const Service b = service("b", "203.0.113.2", 80, "203.0.113.1");
  Problems problems;
  check_services(std::vector{a, b}, problems);
  EXPECT_EQ(problems,
            (Problems{{"services[1].backends[0].address", "203.0.113.1 is the VIP of services[0]"}}));
  EXPECT_EQ(conflicts(state_of({a}), b),
            (Problems{{"backends[0].address", "203.0.113.1 is the VIP of service 'a'"}}));
  EXPECT_EQ(conflicts(state_of({b}), a),
            (Problems{{"vip", "203.0.113.1 is a backend's address in service 'b'"}}));
}

TEST(Rules, AKeyBelongsToOneServiceButItsOwnerMayKeepIt) {
  const DesiredState state = state_of({service("a", "203.0.113.1", 80, "10.0.0.1")});
  EXPECT_TRUE(conflicts(state, service("a", "203.0.113.1", 80, "10.0.0.9")).empty());
  EXPECT_TRUE(conflicts(state, service("b", "203.0.113.1", 81, "10.0.0.1")).empty());
  EXPECT_EQ(conflicts(state, service("b", "203.0.113.1", 80, "10.0.0.1")),
            (Problems{{"vip", "tcp 203.0.113.1:80 already belongs to service 'a'"}}));
  Service udp = service("b", "203.0.113.1", 80, "10.0.0.1");
  udp.key.protocol = kProtoUdp;
  EXPECT_TRUE(conflicts(state, udp).empty());
}

Service range(const std::string& id, const std::string& vip, std::uint16_t port, std::uint16_t last) {
  Service out = service(id, vip, port, "10.0.0.1");
  out.key.last_port = last;
  return out;
}

TEST(Rules, PortRangesOfOneVipDoNotOverlap) {
  const Service low = range("low", "203.0.113.1", 8000, 8999);
  const Service high = range("high", "203.0.113.1", 9000, 9999);
  const Service over = range("over", "203.0.113.1", 8999, 9000);
  Problems problems;
  check_services(std::vector{low, high}, problems);
  EXPECT_TRUE(problems.empty()) << text(problems);
  check_services(std::vector{over, low, high}, problems);
  EXPECT_EQ(
      problems,
      (Problems{
          {"services[1].port", "the range of tcp 203.0.113.1:8000-8999 overlaps 8999-9000 of services[0]"},
          {"services[2].port", "the range of tcp 203.0.113.1:9000-9999 overlaps 8999-9000 of services[0]"}}));
  EXPECT_EQ(
      conflicts(state_of({low}), over),
      (Problems{{"port", "the range of tcp 203.0.113.1:8999-9000 overlaps 8000-8999 of service 'low'"}}));
  EXPECT_EQ(conflicts(state_of({over, low}), high).size(), 1u);
}

TEST(Rules, OnePortARangeAndEveryPortLiveSideBySide) {
  const std::vector<Service> all = {
      range("range", "203.0.113.1", 8000, 8999), service("one", "203.0.113.1", 8080, "10.0.0.1"),
      service("every", "203.0.113.1", 0, "10.0.0.1"), range("prefix", "203.0.113.0/24", 8000, 8999),
      range("other", "203.0.113.2", 8000, 8999)};
  Problems problems;
  check_services(all, problems);
  EXPECT_TRUE(problems.empty()) << text(problems);
  for (const Service& one : all) EXPECT_TRUE(conflicts(state_of(all), one).empty()) << one.id;
}

TEST(Rules, ABackendWithinAVipPrefixIsRefused) {
  const Service wide = service("wide", "203.0.113.0/24", 80, "10.0.0.1");
  const Service inside = service("in", "198.51.100.1", 80, "203.0.113.255");
  const Service outside = service("out", "198.51.100.1", 80, "203.0.114.0");
  Problems problems;
  check_services(std::vector{inside, wide}, problems);
  EXPECT_EQ(problems, (Problems{{"services[0].backends[0].address",
                                 "203.0.113.255 is within 203.0.113.0/24, the VIP of services[1]"}}));
  EXPECT_EQ(conflicts(state_of({wide}), inside),
            (Problems{{"backends[0].address",
                       "203.0.113.255 is within 203.0.113.0/24, the VIP of service 'wide'"}}));
  EXPECT_EQ(conflicts(state_of({inside}), wide),
            (Problems{{"vip", "203.0.113.255 is a backend's address in service 'in'"}}));
  EXPECT_TRUE(conflicts(state_of({wide}), outside).empty());
  problems.clear();
  check_services(std::vector{outside, wide}, problems);
  EXPECT_TRUE(problems.empty()) << text(problems);
}

TEST(Rules, TheLimitOfServicesHoldsForNewOnesOnly) {
  std::vector<Service> all;
  for (std::size_t i = 0; i < kMaxServices; ++i) {
    all.push_back(
        service("s" + std::to_string(i), "203.0.113.1", static_cast<std::uint16_t>(i + 1), "10.0.0.1"));
  }
  const DesiredState state = state_of(all);
  EXPECT_TRUE(conflicts(state, all[5]).empty());
  EXPECT_EQ(conflicts(state, service("new", "203.0.113.2", 1, "10.0.0.1")),
            (Problems{{"", "there are already 10000 services"}}));
}

TEST(DesiredState, AChangeSharesWhatItDoesNotTouch) {
  const DesiredState before =
      state_of({service("a", "203.0.113.1", 80, "10.0.0.1"), service("b", "203.0.113.2", 80, "10.0.0.1")});
  Change change;
  change.delete_services = {"b"};
  change.put_gateways = {{"gw1", false}};
  const DesiredState after = apply(before, change);
  EXPECT_EQ(after.generation, before.generation + 1);
  EXPECT_EQ(after.services.size(), 1u);
  EXPECT_EQ(after.services.at("a"), before.services.at("a"));
  EXPECT_FALSE(after.gateways.at("gw1").announce);
  EXPECT_EQ(before.services.size(), 2u);
}

}  // namespace
}  // namespace penstock

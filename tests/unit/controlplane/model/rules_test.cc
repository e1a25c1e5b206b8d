#include "controlplane/model/rules.h"

#include <gtest/gtest.h>

#include "controlplane/model/service_document.h"

namespace penstock {
namespace {

Service service(const std::string& id, const std::string& vip, std::uint16_t port,
                const std::string& backend) {
  Service out;
  out.id = id;
  out.key = {*IpAddr::parse(vip), kProtoTcp, port};
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

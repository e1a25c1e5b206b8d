#include "controlplane/gateway/eligible_vips.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace penstock {
namespace {

struct BackendSpec {
  std::uint32_t weight;
  bool drain;
};

void add_service(proto::DataplaneConfig& config, const std::string& vip,
                 const std::vector<BackendSpec>& backends) {
  auto* service = config.add_services();
  service->set_vip(vip);
  for (const auto& spec : backends) {
    auto* backend = service->add_backends();
    backend->set_weight(spec.weight);
    backend->set_drain(spec.drain);
  }
}

std::set<VipPrefix> ips(const std::vector<std::string>& texts) {
  std::set<VipPrefix> out;
  for (const auto& text : texts) out.insert(*parse_vip(text));
  return out;
}

TEST(EligibleVips, AreThoseOfServicesWithABackend) {
  proto::DataplaneConfig config;
  add_service(config, "203.0.113.1", {{1, false}});
  add_service(config, "2001:db8::6", {{1, false}});
  add_service(config, "203.0.113.7", {});
  EXPECT_EQ(eligible_vips(config), ips({"203.0.113.1", "2001:db8::6"}));
}

TEST(EligibleVips, AreAnnouncedAsThePrefixesThatTheyAre) {
  proto::DataplaneConfig config;
  add_service(config, "203.0.113.0/24", {{1, false}});
  add_service(config, "203.0.113.10", {{1, false}});
  add_service(config, "2001:db8:5::/64", {{1, false}});
  const auto vips = eligible_vips(config);
  EXPECT_EQ(vips, ips({"203.0.113.0/24", "203.0.113.10", "2001:db8:5::/64"}));
  EXPECT_EQ(vips.begin()->text(), "203.0.113.0/24");
}

TEST(EligibleVips, KeepTheEstablishedFlowsOfDrainedBackends) {
  proto::DataplaneConfig config;
  add_service(config, "203.0.113.2", {{0, false}});
  add_service(config, "203.0.113.3", {{5, true}});
  EXPECT_EQ(eligible_vips(config), ips({"203.0.113.2", "203.0.113.3"}));
}

TEST(EligibleVips, OneServiceWithABackendKeepsItsVip) {
  proto::DataplaneConfig config;
  add_service(config, "203.0.113.1", {});
  add_service(config, "203.0.113.1", {{1, false}});
  EXPECT_EQ(eligible_vips(config), ips({"203.0.113.1"}));
}

}  // namespace
}  // namespace penstock

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

std::set<IpAddr> ips(const std::vector<std::string>& texts) {
  std::set<IpAddr> out;
  for (const auto& text : texts) out.insert(*IpAddr::parse(text));
  return out;
}

TEST(EligibleVips, AreThoseOfServicesWithABackend) {
  proto::DataplaneConfig config;
  add_service(config, "203.0.113.1", {{1, false}});
  add_service(config, "2001:db8::6", {{1, false}});
  add_service(config, "203.0.113.7", {});
  EXPECT_EQ(eligible_vips(config), ips({"203.0.113.1", "2001:db8::6"}));
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

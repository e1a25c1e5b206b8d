// bpf/agent/probe_maps.h on the maps of the program, in the kernel. Needs root.
#include "bpf/agent/probe_maps.h"

#include <set>

#include "bpf/agent/abi_names.h"
#include "bpf/agent/bpf_map.h"
#include "tests/unit/bpf/decap_fixture.h"

namespace penstock {
namespace {

class ProbeMapsTest : public DecapFixture {
 protected:
  void SetUp() override {
    DecapFixture::SetUp();
    if (!IsSkipped()) maps_ = make();
  }
  std::unique_ptr<ProbeMaps> make() const {
    return std::make_unique<ProbeMaps>(fd(program_->maps.probe_keys), fd(program_->maps.probe_host_loads),
                                       fd(program_->maps.probe_service_loads),
                                       fd(program_->maps.probe_clock));
  }

  static VipKey service(int n) {
    return {IpAddr::parse(n % 2 != 0 ? "203.0.113.10" : "2001:db8:5::10").value(), kProtoTcp,
            static_cast<std::uint16_t>(n), 0, 0};
  }
  static std::map<VipKey, probe_service_entry> loads(int first, int count, std::uint64_t sampled) {
    std::map<VipKey, probe_service_entry> out;
    for (int i = first; i < first + count; ++i) {
      probe_service_entry entry{};
      entry.sampled_ns = sampled;
      entry.load.established = static_cast<abi_u32>(i);
      out[service(i)] = entry;
    }
    return out;
  }
  void expect_present(const std::map<VipKey, probe_service_entry>& wanted) const {
    const int map = fd(program_->maps.probe_service_loads);
    std::set<VipKey> keys;
    for (const auto& key : map_keys<abi_service_key>(map)) keys.insert(from_abi(key));
    EXPECT_EQ(keys.size(), wanted.size());
    for (const auto& [key, entry] : wanted) {
      const abi_service_key name = to_abi(key);
      probe_service_entry found{};
      ASSERT_EQ(bpf_map_lookup_elem(map, &name, &found), 0) << key.text();
      EXPECT_EQ(std::memcmp(&found, &entry, sizeof entry), 0) << key.text();
    }
  }

  std::unique_ptr<ProbeMaps> maps_;
};

TEST_F(ProbeMapsTest, LoadsOfServicesReplaceThoseBefore) {
  for (const auto& wanted :
       {loads(1, 300, 5), loads(1, 300, 6), loads(100, 300, 7), loads(50, 1, 8), loads(1, 0, 9)}) {
    ASSERT_TRUE(maps_->set_service_loads(wanted));
    expect_present(wanted);
  }
}

TEST_F(ProbeMapsTest, WhatAPredecessorLeftGoesWithTheFirstLoads) {
  ASSERT_TRUE(maps_->set_service_loads(loads(1, 10, 5)));
  maps_ = make();
  const auto wanted = loads(5, 2, 6);
  ASSERT_TRUE(maps_->set_service_loads(wanted));
  expect_present(wanted);
}

TEST_F(ProbeMapsTest, WhatNoProbeAsksForIsRefusedAndChangesNothing) {
  const auto before = loads(1, 3, 5);
  ASSERT_TRUE(maps_->set_service_loads(before));
  VipKey range = service(10), every = service(0), prefix = service(12);
  range.last_port = 20;
  prefix.prefix_length = 64;
  for (const VipKey& wrong : {range, every, prefix}) {
    auto wanted = loads(2, 3, 6);
    wanted[wrong] = {};
    EXPECT_FALSE(maps_->set_service_loads(wanted)) << wrong.text();
    expect_present(before);
  }
}

TEST_F(ProbeMapsTest, HostAndClockAreWhatWasSetLast) {
  probe_host_entry host{};
  host.sampled_ns = 77;
  host.load.cpu_utilization = 5;
  ASSERT_TRUE(maps_->set_host_load(host));
  ASSERT_TRUE(maps_->set_clock(1'700'000'000'000'000'000));
  const abi_u32 first = 0;
  probe_host_entry found{};
  abi_u64 clock = 0;
  ASSERT_EQ(bpf_map_lookup_elem(fd(program_->maps.probe_host_loads), &first, &found), 0);
  ASSERT_EQ(bpf_map_lookup_elem(fd(program_->maps.probe_clock), &first, &clock), 0);
  EXPECT_EQ(std::memcmp(&found, &host, sizeof host), 0);
  EXPECT_EQ(clock, 1'700'000'000'000'000'000U);
}

}  // namespace
}  // namespace penstock

#include "controlplane/stream/sync_peers.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

ObservedGateway gateway(const std::string& id, const std::string& address, bool connected,
                        std::uint64_t seen_seconds) {
  ObservedGateway out;
  out.id = id;
  out.sync_address = address;
  out.connected = connected;
  out.last_seen = Nanoseconds::from_seconds(seen_seconds);
  return out;
}

TEST(SyncPeers, AnAddressBelongsToTheGatewayThatHasItNow) {
  const SyncAddresses renamed = sync_addresses(
      {gateway("old-name", "10.0.1.1:6082", false, 100), gateway("z-new-name", "10.0.1.1:6082", true, 50)});
  EXPECT_EQ(renamed, (SyncAddresses{{"z-new-name", "10.0.1.1:6082"}}));
  const SyncAddresses both_away =
      sync_addresses({gateway("a", "10.0.1.1:6082", false, 50), gateway("b", "10.0.1.1:6082", false, 60)});
  EXPECT_EQ(both_away, (SyncAddresses{{"b", "10.0.1.1:6082"}}));
}

TEST(SyncPeers, AGatewayThatStoppedTakingFlowsIsNotKnownFromOthers) {
  ObservedGateway gw1 = gateway("gw1", "10.0.1.1:6082", true, 1);
  gw1.has_peers.emplace_back();
  gw1.has_peers.back().set_gateway("gw2");
  gw1.has_peers.back().set_address("10.0.1.2:6082");
  EXPECT_EQ(sync_addresses({gw1}).size(), 2u);
  EXPECT_EQ(sync_addresses({gw1, gateway("gw2", "", true, 1)}).size(), 1u);
}

TEST(SyncPeers, AddressesAreAnIpAddressAndAPort) {
  for (const char* fine : {"10.0.1.1:6082", "[2001:db8::1]:1", "10.0.1.1:65535"}) {
    EXPECT_FALSE(sync_address_problem(fine)) << fine;
  }
  using namespace std::string_literals;
  for (const std::string& wrong :
       {"10.0.1.1"s, "gw1:6082"s, "10.0.1.1:0"s, "10.0.1.1:65536"s, "10.0.1.1:"s, "2001:db8::1:6082"s,
        "[10.0.1.1]:6082"s, "10.0.1.1:6082 "s, ":6082"s, "10.0.1.1\0x:6082"s}) {
    EXPECT_TRUE(sync_address_problem(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace penstock

#include "dataplane/dpdk/devargs.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(Devargs, TellPciFromVirtualDevicesAndFindArguments) {
  const auto pci = parse_devargs("0000:3b:00.1,dv_flow_en=1");
  ASSERT_TRUE(pci);
  EXPECT_TRUE(pci->is_pci);
  EXPECT_EQ(pci->name, "0000:3b:00.1");
  const auto xdp = parse_devargs("net_af_xdp0,iface=eth0,start_queue=1");
  ASSERT_TRUE(xdp);
  EXPECT_TRUE(xdp->is_af_xdp);
  EXPECT_EQ(xdp->argument("iface"), "eth0");
  EXPECT_EQ(xdp->argument("start_queue"), "1");
  EXPECT_FALSE(xdp->argument("queue"));
  EXPECT_FALSE(xdp->argument("start"));
}

TEST(Devargs, RefuseWhatIsNoDevice) {
  for (const char* bad : {"", "eth0", "net_", "net_null0;x", "00:1.0", "0000:3b:00.9", "crypto_null0",
                          "net_af_xdp0", "net_af_xdp0,iface=", "net_af_xdp0,iface=eth0,xdp_prog=/tmp/x.o"}) {
    const auto parsed = parse_devargs(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().field, "port");
  }
}

}  // namespace
}  // namespace penstock

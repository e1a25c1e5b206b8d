#include "dataplane/sync/sync_address.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

TEST(SyncAddress, IsWrittenAsItIsRead) {
  for (const char* text : {"192.0.2.1:6082", "[2001:db8::1]:6082", "127.0.0.1:1", "[::1]:65535"}) {
    const auto address = SyncAddress::parse(text);
    ASSERT_TRUE(address.ok()) << text;
    EXPECT_EQ(address->text(), text);
  }
}

TEST(SyncAddress, OfNoSingleHostOrWithoutAPortIsRefused) {
  for (const char* text : {"", ":", "192.0.2.1", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "host:6082",
                           "2001:db8::1:6082", "[192.0.2.1]:6082", "[2001:db8::1]", "0.0.0.0:6082",
                           "224.0.0.1:6082", "[::]:6082", "[ff02::1]:6082", "192.0.2.1:6082x"}) {
    const auto address = SyncAddress::parse(text);
    EXPECT_FALSE(address.ok()) << text;
  }
}

}  // namespace
}  // namespace penstock

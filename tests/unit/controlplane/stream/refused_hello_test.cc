// What the server answers to peers that do not keep to the protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/controlplane/stream/client.h"

namespace penstock {
namespace {

using testing::HasSubstr;

grpc::Status answer_to(const std::vector<proto::GatewayReport>& reports) {
  const auto streams = start_streams();
  GatewayClient gateway(*streams);
  for (const proto::GatewayReport& report : reports) (void)gateway.say(report);
  return gateway.ended();
}

void expect_refused(const grpc::Status& status, const std::string& sentence) {
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << status.error_message();
  EXPECT_THAT(status.error_message(), HasSubstr(sentence));
}

TEST(RefusedHello, AnIdThatIsNone) {
  for (const char* id : {"", "GW1", "gw 1", "-gw", "gw/1"}) {
    expect_refused(answer_to({gateway_hello(id)}), "gateway: '" + std::string(id) + "' is no id");
  }
  expect_refused(answer_to({gateway_hello(std::string(64, 'a'))}), "is no id");
}

TEST(RefusedHello, AStatusBeforeTheHello) {
  proto::GatewayReport report;
  report.set_gateway("gw1");
  report.mutable_status();
  expect_refused(answer_to({report}), "hello: must be the first message of a session");
}

TEST(RefusedHello, ASecondHello) {
  expect_refused(answer_to({gateway_hello("gw1"), gateway_hello("gw1")}), "hello: came twice");
}

TEST(RefusedHello, AnotherIdLaterInTheSession) {
  proto::GatewayReport report;
  report.set_gateway("gw2");
  report.mutable_status();
  expect_refused(answer_to({gateway_hello("gw1"), report}), "gateway: 'gw2' in a session of 'gw1'");
}

TEST(RefusedHello, AVersionThatIsAnEssay) {
  proto::GatewayReport report = gateway_hello("gw1");
  report.mutable_hello()->set_version(std::string(101, 'x'));
  expect_refused(answer_to({report}), "hello.version: longer than 100 bytes");
}

TEST(RefusedHello, ASyncAddressThatNoPeerCouldReach) {
  proto::GatewayReport report = gateway_hello("gw1");
  report.mutable_hello()->set_sync_address("gw1:6082");
  expect_refused(answer_to({report}), "hello.sync_address: 'gw1:6082' is not ADDRESS:PORT");
}

TEST(RefusedHello, BytesThatAreNoReport) {
  const auto streams = start_streams();
  proto::GatewayReport report = gateway_hello("gw1");
  // Field 1 once more, which is a string and must be UTF-8.
  report.mutable_hello()
      ->GetReflection()
      ->MutableUnknownFields(report.mutable_hello())
      ->AddLengthDelimited(1, "\xff");
  GatewayClient gateway(*streams);
  ASSERT_TRUE(gateway.say(report));
  expect_refused(gateway.ended(), "not a GatewayReport");
}

TEST(RefusedHello, ANodeWithoutOrWithBadAddresses) {
  const auto streams = start_streams();
  {
    NodeClient node(*streams);
    proto::NodeReport report = node_hello("be1", "10.0.31.2");
    report.mutable_hello()->clear_addresses();
    ASSERT_TRUE(node.say(report));
    expect_refused(node.ended(), "hello.addresses: must be 1–256 addresses");
  }
  NodeClient node(*streams);
  proto::NodeReport report = node_hello("be1", "10.0.31.2");
  report.mutable_hello()->add_addresses("10.0.31.2/24");
  ASSERT_TRUE(node.say(report));
  expect_refused(node.ended(), "hello.addresses[1]: '10.0.31.2/24' is not an IPv4 or IPv6 address");
  EXPECT_TRUE(streams->nodes().empty());
}

}  // namespace
}  // namespace penstock

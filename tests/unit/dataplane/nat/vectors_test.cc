// Conversations in and out as an independent implementation (scapy) builds them.

#include <gtest/gtest.h>

#include "tests/unit/dataplane/nat/nat_harness.h"

namespace penstock::test {
namespace {

struct Step {
  const char* in;
  const char* out;
};

struct Talk {
  const char* what;
  int client;  // family
  int backend;
  std::vector<Step> steps;
};

const Talk kTalks[] = {
#include "tests/unit/dataplane/nat/vectors.inc"
};

TEST(NatVectors, ConversationsLeaveAsScapyBuildsThem) {
  for (const Talk& talk : kTalks) {
    Harness harness(4096, nat_settings(40000, 40000));
    const bool v6 = talk.client == 6;
    const char* backend = backend_of(talk.backend == 6);
    harness.apply({nat_service("web", v6, kProtoTcp, 80, {nat_backend("be1", backend, 8080)}),
                   nat_service("plain", v6, kProtoTcp, 81, {nat_backend("be1", backend)}),
                   nat_service("dns", v6, kProtoUdp, 80, {nat_backend("be1", backend, 8080)})});
    for (std::size_t i = 0; i < talk.steps.size(); ++i) {
      const Answer answer = harness.run({from_hex(talk.steps[i].in)}).front();
      ASSERT_EQ(answer.outcome, Outcome::kForwarded)
          << talk.what << ", step " << i << ": " << outcome_metric(answer.outcome);
      EXPECT_EQ(to_hex(answer.frame), talk.steps[i].out) << talk.what << ", step " << i;
    }
    EXPECT_EQ(harness.counters().received.read(), harness.sum_of_outcomes());
  }
}

}  // namespace
}  // namespace penstock::test

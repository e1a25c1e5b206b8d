// Every case through the pipeline in memory, each with a gateway of its own.
#include <gtest/gtest.h>

#include "tests/conformance/expectation.h"
#include "tests/conformance/memory_gateway.h"

namespace penstock::conformance {
namespace {

std::vector<MemoryGateway::Arrival> arrivals(const Step& step, const Expectation& expectation) {
  std::vector<MemoryGateway::Arrival> out;
  for (const Sent& sent : step.send()) {
    Bytes frame = expectation.fill(sent);
    const std::size_t first = sent.first_segment() != 0 ? sent.first_segment() : frame.size();
    out.push_back({std::move(frame), first});
  }
  return out;
}

class InMemory : public testing::TestWithParam<Case> {};

TEST_P(InMemory, PacketsLeaveAsTheTableSays) {
  const Case& one = GetParam();
  MemoryGateway gateway(table().gateways.at(one.gateway()));
  Expectation expectation;
  std::map<std::string, std::uint64_t> before;
  std::uint64_t received = 0;
  for (const Step& step : one.steps()) {
    gateway.wait(Nanoseconds::from_millis(step.wait_ms()));
    const auto frames = gateway.run(arrivals(step, expectation));
    EXPECT_EQ(expectation.compare(step, frames), "") << one.what();
    auto outcomes = gateway.outcomes();
    received += static_cast<std::uint64_t>(step.send_size());
    std::uint64_t sum = 0;
    for (auto& [name, count] : outcomes) {
      sum += count;
      const std::uint64_t so_far = count;
      count -= std::exchange(before[name], so_far);
    }
    EXPECT_EQ(compare_outcomes(step, outcomes), "") << one.what();
    EXPECT_EQ(gateway.received(), received);
    EXPECT_EQ(sum, received) << "received is not the sum of outcomes";
  }
}

INSTANTIATE_TEST_SUITE_P(Conformance, InMemory, testing::ValuesIn(table().cases),
                         [](const auto& at) { return at.param.topic() + "_" + at.param.name(); });

}  // namespace
}  // namespace penstock::conformance

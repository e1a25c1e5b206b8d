// Every case through the built penstock-dataplane, on a veth pair that net_pcap reads and writes. One process
// per gateway: its configuration arrives by the control socket before the first frame does.
#include <gtest/gtest.h>

#include <memory>

#include "tests/conformance/expectation.h"
#include "tests/conformance/wire.h"
#include "tests/unit/dataplane/process/dataplane_process.h"

namespace penstock::conformance {
namespace {

constexpr int kPatienceMs = 2000;

class WireGateway {
 public:
  explicit WireGateway(const Gateway& gateway)
      : name_(gateway.name()),
        process_(arguments(gateway), directory_.file("log")),
        client_(directory_.file("sock")) {
    if (!client_.connected()) throw std::runtime_error(process_.log());
    const auto applied = client_.apply(gateway.config());
    if (!applied.accepted()) throw std::runtime_error(applied.ShortDebugString());
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  proto::DataplaneStats stats() { return client_.stats(); }
  [[nodiscard]] int terminate() { return process_.terminate(); }
  [[nodiscard]] std::string log() const { return process_.log(); }

 private:
  [[nodiscard]] std::vector<std::string> arguments(const Gateway& gateway) const {
    const std::string end = Wire::kGatewayEnd;
    std::vector<std::string> out{
        "--port",
        "net_pcap0,rx_iface_in=" + end + ",tx_iface=" + end,
        "--no-huge",
        "--socket",
        directory_.file("sock"),
        "--flows",
        "10000",
        "--idle",
        "sleep:50",
        "--probe-interval-ms",
        "0",
        "--static-next-hop",
        "net_pcap0,mac=" + gateway.neighbour_mac() + ",source_v4=" + gateway.source_v4() +
            ",source_v6=" + gateway.source_v6() + ",mtu=" + std::to_string(gateway.mtu())};
    out.insert(out.end(), gateway.arguments().begin(), gateway.arguments().end());
    return out;
  }

  std::string name_;
  TemporaryDirectory directory_;
  DataplaneProcess process_;
  DataplaneClient client_;
};

std::map<std::string, std::uint64_t> outcomes_of(const proto::DataplaneStats& stats) {
  std::map<std::string, std::uint64_t> out;
  for (const auto& one : stats.outcomes()) out[one.outcome()] = one.packets();
  return out;
}

class OnTheWire : public testing::TestWithParam<Case> {
 protected:
  static void SetUpTestSuite() { wire_ = std::make_unique<Wire>(); }
  static void TearDownTestSuite() {
    stop_gateway();
    wire_.reset();
  }
  void SetUp() override {
    if (gateway_ != nullptr && gateway_->name() == GetParam().gateway()) return;
    stop_gateway();
    gateway_ = std::make_unique<WireGateway>(table().gateways.at(GetParam().gateway()));
  }
  static void stop_gateway() {
    if (gateway_ == nullptr) return;
    EXPECT_EQ(gateway_->terminate(), 0) << gateway_->log();
    gateway_.reset();
  }

  // A frame is counted after it has left, so that afterwards all are here.
  static std::vector<Bytes> frames_that_left(std::size_t expected) {
    std::vector<Bytes> out;
    for (;;) {
      Bytes frame = wire_->receive(out.size() < expected ? kPatienceMs : 0);
      if (frame.empty()) return out;
      out.push_back(std::move(frame));
    }
  }

  static void run(const Step& step, Expectation& expectation) {
    if (step.wait_ms() != 0) std::this_thread::sleep_for(std::chrono::milliseconds(step.wait_ms()));
    const auto before = gateway_->stats();
    for (const Sent& sent : step.send()) wire_->send(expectation.fill(sent));
    const std::uint64_t wanted = before.received_packets() + static_cast<std::uint64_t>(step.send_size());
    proto::DataplaneStats after;
    EXPECT_TRUE(eventually(
        [&] {
          after = gateway_->stats();
          return sum_of_outcomes(after) >= wanted && after.received_packets() >= wanted;
        },
        kPatienceMs / 1000.0))
        << "frames did not arrive";
    EXPECT_EQ(expectation.compare(step, frames_that_left(static_cast<std::size_t>(step.expect_size()))), "");
    auto outcomes = outcomes_of(after);
    for (const auto& [name, count] : outcomes_of(before)) outcomes[name] -= count;
    EXPECT_EQ(compare_outcomes(step, outcomes), "");
    EXPECT_EQ(after.received_packets(), wanted);
  }

  static std::unique_ptr<Wire> wire_;
  static std::unique_ptr<WireGateway> gateway_;
};
std::unique_ptr<Wire> OnTheWire::wire_;
std::unique_ptr<WireGateway> OnTheWire::gateway_;

TEST_P(OnTheWire, PacketsLeaveAsTheTableSays) {
  Expectation expectation;
  for (const Step& step : GetParam().steps()) run(step, expectation);
}

std::vector<Case> cases_for_the_wire() {
  std::vector<Case> out = table().cases;
  std::erase_if(out, [](const Case& one) { return one.memory_only(); });
  return out;
}

INSTANTIATE_TEST_SUITE_P(Conformance, OnTheWire, testing::ValuesIn(cases_for_the_wire()),
                         [](const auto& at) { return at.param.topic() + "_" + at.param.name(); });

}  // namespace
}  // namespace penstock::conformance

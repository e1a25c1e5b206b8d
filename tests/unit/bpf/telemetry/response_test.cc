// Response times and stalls of real servers.
#include "tests/unit/bpf/telemetry/telemetry_fixture.h"

namespace penstock {
namespace {

class TelemetryTimes : public TelemetryFixture {
 protected:
  void SetUp() override {
    TelemetryFixture::SetUp();
    if (IsSkipped()) return;
    load();
    listener_ = std::make_unique<Socket>(listening(kVip, kPort));
  }

  /// The longest `stalled` in the time that `work` takes.
  Nanoseconds longest_stall(const std::function<bool()>& work) {
    Nanoseconds longest;
    while (work()) longest = std::max(longest, sample().stalled.value());
    return longest;
  }

  std::unique_ptr<Socket> listener_;
};

TEST_F(TelemetryTimes, ResponseTimeOfAServerThatThinks30Milliseconds) {
  const EchoServer server(*listener_, ms(30));
  const Socket client = connected();
  std::vector<double> seen_us;
  for (int i = 0; i < 12; ++i) {
    const Nanoseconds began = monotonic_now();
    ask_and_hear(client);
    seen_us.push_back(static_cast<double>((monotonic_now() - began).count()) / 1e3);
    sample();
  }
  std::sort(seen_us.begin(), seen_us.end());
  const auto& now = sample();
  EXPECT_EQ(now.responses, 12U);
  ASSERT_TRUE(now.response.has_value());
  EXPECT_GE(now.response->p50_us, 30'000 * 0.93);
  EXPECT_LE(now.response->p50_us, seen_us[6] * 1.07) << "what the client saw";
  EXPECT_LE(now.response->p99_us, seen_us.back() * 1.07);
  ASSERT_TRUE(now.fast_response.has_value());
  EXPECT_GE(now.fast_response->p50_us, 30'000 * 0.93);
  EXPECT_TRUE(now.srtt_us.has_value());
}

TEST_F(TelemetryTimes, ARequestThatStillWaitsCountsWithItsAge) {
  const EchoServer server(*listener_, ms(150));
  const Socket client = connected();
  ask(client);
  const Nanoseconds asked = monotonic_now();
  ASSERT_TRUE(becomes([](const auto& t) { return t.fast_response && t.fast_response->p99_us > 50'000; }));
  EXPECT_LT(monotonic_now() - asked, ms(140)) << "before the answer";
  EXPECT_EQ(sample().responses, 0U);
  EXPECT_EQ(sample().waiting, 1U);
  hear(client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  EXPECT_EQ(sample().waiting, 0U);
  EXPECT_EQ(sample().requests, 1U);
}

TEST_F(TelemetryTimes, ABackendThatBecomesSlowShowsWithin100Milliseconds) {
  EchoServer fast(*listener_, {});
  const Socket a = connected(), b = connected();
  const Nanoseconds until = monotonic_now() + ms(500);
  while (monotonic_now() < until) {
    ask_and_hear(a);
    sample();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  ASSERT_LT(sample().fast_response->p99_us, 45'000);
  fast.stop();  // for 50 ms
  ask(b);
  const Nanoseconds began = monotonic_now();
  ASSERT_TRUE(becomes([](const auto& t) { return t.fast_response && t.fast_response->p99_us > 50'000; }));
  EXPECT_LT(monotonic_now() - began, ms(130));
  fast.resume();
  hear(b);
}

TEST_F(TelemetryTimes, ARequestOlderThanTheRingIsStillOne) {
  const EchoServer server(*listener_, ms(5500));
  const Socket client = connected();
  ask(client);
  ASSERT_FALSE(becomes([](const auto& t) { return t.responses == 1; }, ms(5000)));
  EXPECT_EQ(sample().waiting, 1U);
  EXPECT_FALSE(sample().fast_response.has_value()) << "a stream, or a stall";
  hear(client);
  ASSERT_TRUE(becomes([](const auto& t) { return t.responses == 1; }));
  EXPECT_EQ(sample().waiting, 0U);
  EXPECT_EQ(sample().requests, 1U);
  EXPECT_GT(sample().response->p50_us, 5'000'000);
}

TEST_F(TelemetryTimes, AStoppedServerStallsOnceARequestWaits) {
  const EchoServer server(*listener_, {});
  const Socket client = connected();
  for (int i = 0; i < 20; ++i) {
    ask_and_hear(client);
    ASSERT_TRUE(becomes([&](const auto& t) { return t.responses == i + 1U; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  server.stop();
  ask(client);
  const Nanoseconds asked = monotonic_now();
  ASSERT_TRUE(becomes([](const auto& t) { return t.stalled >= ms(300); }));
  EXPECT_GE(monotonic_now() - asked, ms(295));
  EXPECT_LE(monotonic_now() - asked, ms(360));
  server.resume();
  hear(client);
  EXPECT_TRUE(becomes([](const auto& t) { return t.stalled == Nanoseconds(); }));
}

TEST_F(TelemetryTimes, AStoppedServerStallsOnceAConnectionWaits) {
  const EchoServer server(*listener_, {});
  for (int i = 0; i < 20; ++i) {
    const Socket client = connected();
    ask_and_hear(client);
    ASSERT_TRUE(becomes([&](const auto& t) { return t.responses == i + 1U; }));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  server.stop();
  const Socket waits = connected();
  const Nanoseconds asked = monotonic_now();
  ASSERT_TRUE(becomes([](const auto& t) { return t.stalled >= ms(300); }));
  EXPECT_LE(monotonic_now() - asked, ms(360));
  server.resume();
  ask_and_hear(waits);
  EXPECT_TRUE(becomes([](const auto& t) { return t.stalled == Nanoseconds(); }));
}

TEST_F(TelemetryTimes, AnIdleServerIsNotStalled) {
  const EchoServer server(*listener_, {});
  const Socket client = connected();
  ask_and_hear(client);
  EXPECT_FALSE(becomes([](const auto& t) { return t.stalled > ms(100); }, ms(1500)));
}

TEST_F(TelemetryTimes, AServerThatThinksIsNotStalled) {
  const EchoServer server(*listener_, ms(700));
  const Socket client = connected();
  ask(client);
  EXPECT_FALSE(becomes([](const auto& t) { return t.stalled > ms(100); }, ms(600)));
  hear(client);
}

TEST_F(TelemetryTimes, AServerThatTakesOneClientAfterTheOtherIsNotStalled) {
  const EchoServer server(*listener_, ms(400));
  std::vector<Socket> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(connected());
  for (const Socket& client : clients) ask(client);
  const Nanoseconds end = monotonic_now() + ms(6000);
  const Nanoseconds longest = longest_stall([&] {
    for (const Socket& client : clients) {
      char byte = 0;
      if (recv(client.fd(), &byte, 1, MSG_DONTWAIT) == 1) ask(client);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return monotonic_now() < end;
  });
  EXPECT_GE(longest, ms(100)) << "work did wait";
  EXPECT_LT(longest, ms(300));
}

TEST_F(TelemetryTimes, AClientThatReadsNoAnswersDoesNotStallItsServer) {
  const EchoServer server(*listener_, {});
  const Socket client = connected();
  ask_and_hear(client, 20);
  // The server writes a byte for each segment, so this ends with both buffers full only for a flooder; here
  // one side is closed by its window instead.
  const int small = 1;
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  EXPECT_FALSE(becomes(
      [&](const auto& t) {
        for (int i = 0; i < 200; ++i) send(client.fd(), "?", 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        return t.stalled >= ms(300);
      },
      ms(1500)));
}

}  // namespace
}  // namespace penstock

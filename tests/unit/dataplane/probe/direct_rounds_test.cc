// Whom direct checks believe: a peer made by hand answers as right, as wrong and as late as a test wants.
#include "dataplane/probe/direct_rounds.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>

#include "penstock/net/headers.h"

namespace penstock {
namespace {

constexpr OwnPorts kPorts{61128, 61135};
constexpr std::size_t kTransport = 14 + 20;

struct Reply {
  std::uint8_t flags = kTcpSyn | kTcpAck;
  std::uint32_t sequence = 7000;
  std::int64_t acknowledgment_off = 0;
  std::string payload{};
  std::uint8_t source_off = 0;  // last byte of the address
  std::uint16_t port_off = 0;
  std::uint8_t destination_off = 0;
  std::uint8_t protocol = kProtoTcp;
};

class DirectRoundsTest : public ::testing::Test {
 protected:
  DirectRoundsTest()
      : rounds_(siphash_key{{3, 4}}, channel_,
                {[this](BackendIndex b, bool passed, Nanoseconds) { verdicts_[b].push_back(passed); },
                 [](BackendIndex) { return false; }}) {
    NextHop hop{{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, IpAddr::parse("10.77.0.1").value()};
    rounds_.reach(std::make_shared<const NextHops>(NextHops{{IpAddr::parse("10.77.0.2").value(), hop}}));
  }

  void follow(DirectCheckKind kind, std::uint32_t backends = 1) {
    DirectService service;
    service.service.encap = Encap::kL2dsr;
    service.service.key = {IpAddr::parse("203.0.113.10").value(), kProtoTcp, 80, 0, 0};
    service.always = true;
    service.check.kind = kind;
    service.request = kind == DirectCheckKind::kHttp ? "GET / HTTP/1.1\r\n\r\n" : "";
    DirectPlan plan{{service}, {}};
    for (std::uint32_t i = 0; i < backends; ++i) {
      plan.targets.push_back({i,
                              0,
                              {"be" + std::to_string(i), IpAddr::parse("10.77.0.2").value()},
                              service.service.key.vip,
                              80});
    }
    rounds_.follow(plan, now_);
  }

  /// What left, in order, and everything is heard until now.
  std::vector<std::vector<std::uint8_t>> pass(Nanoseconds time) {
    now_ = now_ + time;
    own_.worker(0).polled(now_, true);
    rounds_.run(now_);
    std::vector<std::vector<std::uint8_t>> sent;
    OutRing& ring = *own_.worker(0).out()[0];
    while (ring.waiting() != 0) {
      const OutFrame& frame = ring.waiting_frame(0);
      sent.emplace_back(frame.bytes.begin(), frame.bytes.begin() + frame.length);
      ring.set_sent(0, leaves_ ? now_ : Nanoseconds());
      ring.done(1);
    }
    return sent;
  }

  static TcpHeader tcp_of(const std::vector<std::uint8_t>& frame) {
    TcpHeader tcp;
    std::memcpy(&tcp, frame.data() + kTransport, sizeof tcp);
    return tcp;
  }

  /// The backend's answer to `frame`.
  void answer(const std::vector<std::uint8_t>& frame, const Reply& reply) {
    std::vector<std::uint8_t> out(frame.begin(), frame.begin() + kTransport + 20);
    std::copy_n(frame.begin() + 14 + 12, 4, out.begin() + 14 + 16);
    std::copy_n(frame.begin() + 14 + 16, 4, out.begin() + 14 + 12);
    out[14 + 15] = static_cast<std::uint8_t>(out[14 + 15] + reply.source_off);
    out[14 + 19] = static_cast<std::uint8_t>(out[14 + 19] + reply.destination_off);
    out[14 + 9] = reply.protocol;
    TcpHeader tcp = tcp_of(frame);
    const std::uint32_t end =
        tcp.sequence.host() + ((tcp.flags & kTcpSyn) != 0 ? 1 : 0) +
        static_cast<std::uint32_t>(frame.size() - kTransport - tcp.data_offset / 16 * 4);
    std::swap(tcp.source_port, tcp.destination_port);
    tcp.source_port = be16(static_cast<std::uint16_t>(tcp.source_port.host() + reply.port_off));
    tcp.acknowledgment = be32(static_cast<std::uint32_t>(end + reply.acknowledgment_off));
    tcp.sequence = be32(reply.sequence);
    tcp.flags = reply.flags;
    tcp.data_offset = 0x50;
    std::memcpy(out.data() + kTransport, &tcp, sizeof tcp);
    out.insert(out.end(), reply.payload.begin(), reply.payload.end());
    const be16 length(static_cast<std::uint16_t>(out.size() - 14));
    std::memcpy(out.data() + 14 + 2, &length, 2);
    own_.worker(0).take(out.data(), out.size(), now_);
  }

  static constexpr Nanoseconds kMillisecond = Nanoseconds::from_millis(1);
  OwnTraffic own_{1};
  OwnChannel& channel_ = own_.add(kPorts);
  DirectRounds rounds_;
  std::map<BackendIndex, std::vector<bool>> verdicts_;
  Nanoseconds now_ = Nanoseconds::from_seconds(100);
  bool leaves_ = true;
};

TEST_F(DirectRoundsTest, OnlyWhatAcknowledgesTheCookieFromThereIsBelieved) {
  const Reply wrong[] = {{.acknowledgment_off = 1},
                         {.acknowledgment_off = -1},
                         {.flags = kTcpSyn},
                         {.flags = kTcpAck},
                         {.flags = kTcpRst},  // without an acknowledgment: anybody's
                         {.flags = kTcpRst | kTcpAck, .acknowledgment_off = 5},
                         {.source_off = 1},
                         {.port_off = 1},
                         {.destination_off = 1},
                         {.protocol = kProtoUdp}};
  follow(DirectCheckKind::kTcpConnect);
  const auto syn = pass(Nanoseconds());
  ASSERT_EQ(syn.size(), 1U);
  EXPECT_EQ(tcp_of(syn[0]).flags, kTcpSyn);
  std::uint64_t refused = 0;
  for (const Reply& reply : wrong) {
    answer(syn[0], reply);
    EXPECT_TRUE(pass(kMillisecond).empty());
    EXPECT_TRUE(verdicts_[0].empty()) << refused;
    EXPECT_EQ(rounds_.counters().refused, ++refused);
  }
  answer(syn[0], {});
  const auto reset = pass(kMillisecond);
  ASSERT_EQ(reset.size(), 1U);
  EXPECT_EQ(tcp_of(reset[0]).flags, kTcpRst);
  EXPECT_EQ(tcp_of(reset[0]).sequence.host(), tcp_of(syn[0]).sequence.host() + 1);
  EXPECT_EQ(verdicts_[0], std::vector{true});
  answer(syn[0], {});  // once more: the check is over
  pass(kMillisecond);
  EXPECT_EQ(verdicts_[0], std::vector{true});
  EXPECT_EQ(rounds_.counters().refused, refused + 1);
}

TEST_F(DirectRoundsTest, ARefusalFailsAtOnceAndSilenceByTime) {
  follow(DirectCheckKind::kTcpConnect);
  answer(pass(Nanoseconds()).at(0), {.flags = kTcpRst | kTcpAck});
  pass(kMillisecond);
  EXPECT_EQ(verdicts_[0], std::vector{false});
  ASSERT_EQ(pass(Nanoseconds::from_millis(1000)).size(), 1U);
  pass(Nanoseconds::from_millis(490));
  EXPECT_EQ(verdicts_[0].size(), 1U);
  pass(Nanoseconds::from_millis(20));
  EXPECT_EQ(verdicts_[0], (std::vector{false, false}));
}

TEST_F(DirectRoundsTest, APacketThatDidNotLeaveSaysNothing) {
  follow(DirectCheckKind::kTcpConnect);
  leaves_ = false;
  for (int i = 0; i < 30; ++i) pass(Nanoseconds::from_millis(100));
  EXPECT_TRUE(verdicts_[0].empty());
  EXPECT_GE(rounds_.counters().begun, 3U);
  EXPECT_FALSE(rounds_.busy());
}

TEST_F(DirectRoundsTest, AResponseIsItsFirstSegmentWhateverComesBefore) {
  follow(DirectCheckKind::kHttp);
  const auto syn = pass(Nanoseconds());
  answer(syn.at(0), {});
  const auto request = pass(kMillisecond);
  ASSERT_EQ(request.size(), 1U);
  EXPECT_EQ(tcp_of(request[0]).flags, kTcpAck | kTcpPsh);
  EXPECT_EQ(tcp_of(request[0]).acknowledgment.host(), 7001U);
  EXPECT_EQ(std::string(request[0].begin() + kTransport + 20, request[0].end()), "GET / HTTP/1.1\r\n\r\n");
  answer(syn[0], {});                                                              // SYN-ACK again
  answer(request[0], {.flags = kTcpAck, .sequence = 7001});                        // nothing but an ACK
  answer(request[0], {.flags = kTcpAck, .sequence = 7100, .payload = "the end"});  // overtook
  EXPECT_TRUE(pass(kMillisecond).empty());
  EXPECT_TRUE(verdicts_[0].empty());
  answer(request[0], {.flags = kTcpAck, .sequence = 7001, .payload = "HTTP/1.1 200 OK\r\n\r\n"});
  const auto reset = pass(kMillisecond);
  ASSERT_EQ(reset.size(), 1U);
  EXPECT_EQ(tcp_of(reset[0]).flags, kTcpRst);
  EXPECT_EQ(verdicts_[0], std::vector{true});
}

TEST_F(DirectRoundsTest, MoreBackendsThanPortsTakeTurns) {
  follow(DirectCheckKind::kTcpConnect, 40);
  std::map<BackendIndex, int> passed;
  for (int i = 0; i < 4000 && rounds_.counters().passed < 200; ++i) {
    for (const auto& frame : pass(kMillisecond))
      if (tcp_of(frame).flags == kTcpSyn) answer(frame, {});
  }
  for (std::uint32_t i = 0; i < 40; ++i) EXPECT_GE(verdicts_[i].size(), 2U) << i;
}

TEST_F(DirectRoundsTest, AChangeKeepsTheCheckOfABackendThatStaysAndForgetsTheOthers) {
  follow(DirectCheckKind::kTcpConnect, 3);
  std::map<BackendIndex, std::vector<std::uint8_t>> sent;
  std::vector<std::vector<std::uint8_t>> syns;
  while (syns.size() < 3)
    for (auto& frame : pass(kMillisecond)) syns.push_back(frame);
  follow(DirectCheckKind::kTcpConnect, 2);  // the third is gone
  for (const auto& syn : syns) answer(syn, {});
  pass(kMillisecond);
  EXPECT_EQ(verdicts_[0].size() + verdicts_[1].size(), 2U);
  EXPECT_TRUE(verdicts_[2].empty());
}

}  // namespace
}  // namespace penstock

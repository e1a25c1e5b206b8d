// Which packets are answers to the gateway itself, who gets them, and when a worker has heard everything.
#include "dataplane/own/own_traffic.h"

#include <gtest/gtest.h>

#include "dataplane/own/own_headers.h"
#include "penstock/abi/own_ports.h"
#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

constexpr OwnPorts kProbes{PENSTOCK_OWN_PROBE_FIRST_PORT, PENSTOCK_OWN_PROBE_LAST_PORT};
constexpr OwnPorts kChecks{PENSTOCK_OWN_CHECK_FIRST_PORT, PENSTOCK_OWN_CHECK_LAST_PORT};

PacketBuilder own4() { return packet().v4("10.0.0.1", "192.0.2.1"); }
PacketBuilder own6() { return packet().v6("2001:db8::7", "2001:db8:ff::1"); }

class Own : public ::testing::Test {
 protected:
  Own() {
    RareSettings rare;
    rare.own = &traffic_.worker(0);
    gateway_ = std::make_unique<Harness>(4096, rare);
    gateway_->apply({service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, {{"be1", ip("10.0.0.1")}})});
  }
  static std::size_t drain(OwnChannel& channel) {
    std::size_t n = 0;
    for (std::size_t i = 0; i < channel.workers(); ++i) channel.in(i).drain([&](const InFrame&) { ++n; });
    return n;
  }

  OwnTraffic traffic_{2};
  OwnChannel& probes_ = traffic_.add(kProbes);
  OwnChannel& checks_ = traffic_.add(kChecks);
  std::unique_ptr<Harness> gateway_;
};

TEST_F(Own, OnlyWholePacketsToThePortsOfAnAskerAreItsOwn) {
  struct Case {
    const char* what;
    PacketBuilder in;
    Outcome outcome;
    std::size_t probes, checks;
  };
  for (const Case& c : {
           Case{"first port of probes", own4().udp(6080, 61000), Outcome::kOwn, 1, 0},
           Case{"last port of probes, IPv6", own6().udp(6080, 61127), Outcome::kOwn, 1, 0},
           Case{"a check's UDP", own4().udp(53, 61128), Outcome::kOwn, 0, 1},
           Case{"a check's TCP", own4().tcp(80, 62151).syn(), Outcome::kOwn, 0, 1},
           Case{"with IPv4 options", own4().options(8).udp(6080, 61000), Outcome::kOwn, 1, 0},
           Case{"TTL 1", own4().udp(6080, 61000).ttl(1), Outcome::kOwn, 1, 0},
           Case{"the port before", own4().udp(6080, 60999), Outcome::kNotVip, 0, 0},
           Case{"the port behind", own4().udp(6080, 62152), Outcome::kNotVip, 0, 0},
           Case{"the source port", own4().udp(61000, 6080), Outcome::kNotVip, 0, 0},
           Case{"SCTP", own4().other(kProtoSctp, 12), Outcome::kNotVip, 0, 0},
           Case{"a first fragment", own4().udp(6080, 61000).fragment(kIpv4MoreFragments), Outcome::kNotVip, 0,
                0},
           Case{"a later fragment", own4().udp(6080, 61000).fragment(5), Outcome::kNotVip, 0, 0},
           Case{"to a VIP", packet().v4("10.0.0.1", "203.0.113.10").udp(6080, 61000), Outcome::kNoSuchService,
                0, 0},
           Case{"ARP", own4().other(0, 28).ether_type(kEtherTypeArp), Outcome::kNotVip, 0, 0},
       }) {
    EXPECT_EQ(gateway_->run(c.in).outcome, c.outcome) << c.what;
    EXPECT_EQ(drain(probes_), c.probes) << c.what;
    EXPECT_EQ(drain(checks_), c.checks) << c.what;
  }
}

TEST_F(Own, EveryTruncationIsHarmless) {
  for (const PacketBuilder& whole : {own4().udp(6080, 61000).payload(8), own6().tcp(80, 61200).payload(8)}) {
    const Bytes frame = PacketBuilder(whole).build();
    for (std::size_t n = 0; n < frame.size(); ++n) {
      const Bytes cut(frame.begin(), frame.begin() + static_cast<long>(n));
      gateway_->run({cut});
      drain(probes_);
      drain(checks_);
    }
  }
  EXPECT_EQ(gateway_->count(Outcome::kForwarded), 0u);
}

TEST_F(Own, TheAskerSeesWhoAnsweredAndWhat) {
  gateway_->run({own6().tcp(80, 61200).flags(kTcpSyn | kTcpAck).payload(3).build()});
  std::size_t seen = 0;
  checks_.in(0).drain([&](const InFrame& f) {
    ++seen;
    EXPECT_EQ(f.source(), ip("2001:db8::7"));
    EXPECT_EQ(f.destination(), ip("2001:db8:ff::1"));
    EXPECT_EQ(f.source_port(), 80);
    EXPECT_EQ(f.destination_port(), 61200);
    EXPECT_EQ(f.protocol, kProtoTcp);
    EXPECT_EQ(f.segment().size(), 23u) << "padding is not part of it";
    EXPECT_EQ(f.segment()[13], kTcpSyn | kTcpAck);
    EXPECT_EQ(f.arrived, gateway_->now);
    EXPECT_TRUE(f.is_whole);
  });
  EXPECT_EQ(seen, 1u);
  gateway_->run({own4().udp(53, 61200).payload(1300).build()});
  checks_.in(0).drain([&](const InFrame& f) {
    EXPECT_FALSE(f.is_whole);
    EXPECT_EQ(f.length, kOwnFrameBytes);
  });
}

TEST_F(Own, AFloodIsCountedAndStarvesNobody) {
  const Bytes flood = own4().udp(6080, 61000).build();
  const Bytes client = packet().v4("198.51.100.7", "203.0.113.10").tcp(1, 80).syn().build();
  for (std::size_t i = 0; i < 2 * kOwnRingSlots; ++i) {
    const auto answers = gateway_->run({flood, client});
    EXPECT_EQ(answers[1].outcome, Outcome::kForwarded);
  }
  EXPECT_EQ(gateway_->run(own4().udp(53, 61200)).outcome, Outcome::kOwn)
      << "the other asker has its own ring";
  EXPECT_EQ(gateway_->count(Outcome::kOwn), kOwnRingSlots + 1);
  EXPECT_EQ(gateway_->count(Outcome::kOwnFull), kOwnRingSlots);
  EXPECT_EQ(probes_.dropped(), kOwnRingSlots);
  EXPECT_EQ(gateway_->counters().received.read(), 4 * kOwnRingSlots + 1);
}

TEST(OwnWorker, HasHeardWhatCameBeforeAPollThatEmptiedItsQueues) {
  OwnTraffic traffic(2);
  OwnChannel& channel = traffic.add(kProbes);
  const auto poll = [&](std::size_t worker, std::uint64_t at, bool emptied) {
    traffic.worker(worker).polled(Nanoseconds(at), emptied);
  };
  EXPECT_EQ(channel.heard().count(), 0u);
  poll(0, 100, true);
  EXPECT_EQ(channel.heard().count(), 0u) << "the other worker stands still";
  poll(1, 110, true);
  EXPECT_EQ(channel.heard().count(), 100u);
  for (std::uint64_t at = 200; at < 263; ++at) poll(0, at, false);
  poll(1, 300, true);
  EXPECT_EQ(channel.heard().count(), 100u) << "packets may still lie in the queue";
  poll(0, 263, false);
  EXPECT_EQ(channel.heard().count(), 200u) << "64 bursts: what lay there at 200 has been taken";
  poll(0, 264, false);
  poll(0, 265, true);
  EXPECT_EQ(channel.heard().count(), 265u);
}

TEST(OwnHeaders, AreThoseOfAnOrdinaryDatagramWithItsChecksums) {
  const Bytes payload = {1, 2, 3, 4, 5};
  for (const bool v6 : {false, true}) {
    const NextHop hop = next_hop(v6);
    const IpAddr to = ip(v6 ? "2001:db8::7" : "10.0.0.1");
    Bytes frame(200, 0xee);
    frame.resize(write_own_datagram(hop, to, 61003, 6080, payload, frame.data()));
    ASSERT_EQ(frame.size(), own_headers_bytes(v6) + 8 + payload.size());
    EXPECT_TRUE(std::equal(frame.end() - 5, frame.end(), payload.begin()));
    EXPECT_TRUE(std::equal(hop.destination.bytes.begin(), hop.destination.bytes.end(), frame.begin()));
    EXPECT_TRUE(std::equal(hop.source.bytes.begin(), hop.source.bytes.end(), frame.begin() + 6));
    if (!v6) {
      EXPECT_EQ(checksum(frame.data() + 14, 20).raw(), 0) << "sums up";
    }
    const std::span<const std::uint8_t> segment = std::span(frame).subspan(own_headers_bytes(v6));
    const be16 sum = own_checksum(frame.data(), segment);
    if (v6) {
      EXPECT_TRUE(sum.raw() == 0xffff || sum.raw() == 0) << "sums up, the checksum included";
    }
    EXPECT_EQ((segment[6] | segment[7]) != 0, v6) << "over IPv4 the message's MAC is enough";
    OwnTraffic traffic(1);
    OwnChannel& channel = traffic.add({6080, 6080});
    EXPECT_EQ(traffic.worker(0).take(frame.data(), frame.size(), {}), OwnWorker::Verdict::kTaken);
    channel.in(0).drain([&](const InFrame& f) {
      EXPECT_EQ(f.source(), hop.outer_source);
      EXPECT_EQ(f.destination(), to);
    });
  }
}

}  // namespace
}  // namespace penstock::test

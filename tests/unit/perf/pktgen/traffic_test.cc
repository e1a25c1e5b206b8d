#include "perf/pktgen/traffic.h"

#include <gtest/gtest.h>

#include <vector>

#include "penstock/net/headers.h"

namespace penstock::perf {
namespace {

// Both made by scapy 2.5: Ether(dst="02:00:00:00:00:02", src="02:00:00:00:00:01") / IP(src="10.0.0.2",
// dst="203.0.113.10", id=0, flags="DF") / TCP(sport=1025, dport=80, seq=7, ack=50001, flags="A",
// window=65535, chksum=0) / bytes([6, 5, 4, 3, 2, 1]), and its IP packet in IP(src="192.0.2.1",
// dst="10.1.0.7", proto=4).
const std::vector<std::uint8_t> kFrame = {
    0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x45,
    0x00, 0x00, 0x2e, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0xf4, 0xbd, 0x0a, 0x00, 0x00, 0x02,
    0xcb, 0x00, 0x71, 0x0a, 0x04, 0x01, 0x00, 0x50, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00, 0xc3,
    0x51, 0x50, 0x10, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
};
const std::vector<std::uint8_t> kReturned = {
    0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x02, 0x08, 0x00, 0x45, 0x00,
    0x00, 0x42, 0x00, 0x01, 0x00, 0x00, 0x40, 0x04, 0xae, 0xae, 0xc0, 0x00, 0x02, 0x01, 0x0a, 0x01,
    0x00, 0x07, 0x45, 0x00, 0x00, 0x2e, 0x00, 0x00, 0x40, 0x00, 0x40, 0x06, 0xf4, 0xbd, 0x0a, 0x00,
    0x00, 0x02, 0xcb, 0x00, 0x71, 0x0a, 0x04, 0x01, 0x00, 0x50, 0x00, 0x00, 0x00, 0x07, 0x00, 0x00,
    0xc3, 0x51, 0x50, 0x10, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
};
constexpr std::uint64_t kTime = 0x010203040506;

TEST(FrameWriter, WritesWhatScapyWrites) {
  std::vector<std::uint8_t> frame(60, 0xff);
  FrameWriter(Target{}).write(frame.data(), 64, 50'001, 7, kTcpAck, kTime);
  EXPECT_EQ(frame, kFrame);
}

TEST(FrameWriter, WritesNothingBehindTheHead) {
  std::vector<std::uint8_t> frame(1514, 0xaa);
  FrameWriter(Target{}).write(frame.data(), 1518, 1, 0, kTcpSyn, 0);
  EXPECT_EQ(frame[kHeadBytes], 0xaa);
  EXPECT_EQ(frame[16] << 8 | frame[17], 1500) << "total length of the IP packet";
}

TEST(ReadArrival, FindsTheMeasurementInTheEncapsulatedFrame) {
  const auto arrival = read_arrival(kReturned, Target{});
  ASSERT_TRUE(arrival);
  EXPECT_EQ(arrival->flow, 50'001u);
  EXPECT_EQ(arrival->sequence, 7u);
  EXPECT_EQ(arrival->sent_at, kTime);
  EXPECT_EQ(arrival->backend, 0x0700010au) << "10.1.0.7 as it lies in the packet";
}

TEST(ReadArrival, RefusesWhatTheGeneratorDidNotSend) {
  const auto spoilt = [](std::size_t at, std::uint8_t value) {
    auto frame = kReturned;
    frame[at] = value;
    return read_arrival(frame, Target{}).has_value();
  };
  EXPECT_FALSE(spoilt(12, 0x86)) << "no IPv4";
  EXPECT_FALSE(spoilt(23, 17)) << "outer packet is not IPIP";
  EXPECT_FALSE(spoilt(14 + 20 + 15, 3)) << "source of another flow";
  EXPECT_FALSE(spoilt(14 + 20 + 19, 11)) << "another VIP";
  EXPECT_FALSE(spoilt(14 + 40 + 1, 2)) << "source port of another flow";
  EXPECT_FALSE(spoilt(14 + 40 + 3, 81)) << "another destination port";
  EXPECT_FALSE(read_arrival(kFrame, Target{})) << "not encapsulated";
  const auto cut = std::span(kReturned).first(kReturned.size() - 1);
  EXPECT_FALSE(read_arrival(cut, Target{})) << "too short for the measurement";
}

TEST(ReadArrival, SpoofedSynsComeBackAsSuch) {
  std::vector<std::uint8_t> frame(60);
  FrameWriter(Target{}).write_spoofed_syn(frame.data(), 64, 0x1234'5678'9abc'def0, kTime);
  EXPECT_EQ(frame[14 + 20 + 13], kTcpSyn);
  EXPECT_GE(frame[26], 11) << "not from the flows' own 10.0.0.0/8";
  std::vector<std::uint8_t> returned(kReturned.begin(), kReturned.begin() + 34);
  returned.insert(returned.end(), frame.begin() + 14, frame.end());
  const auto arrival = read_arrival(returned, Target{});
  ASSERT_TRUE(arrival);
  EXPECT_EQ(arrival->flow, kSpoofed);
}

}  // namespace
}  // namespace penstock::perf

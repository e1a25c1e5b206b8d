// Rare packets through the real binary: answers and extra frames leave, and so do frames in several buffers.
#include <sys/stat.h>

#include <algorithm>
#include <atomic>

#include "tests/unit/dataplane/process/dataplane_process.h"
#include "tests/unit/dataplane/process/pcap_file.h"

namespace penstock {
namespace {

const MacAddr kClientMac{{2, 0, 0, 0, 0, 1}};
const MacAddr kGatewayMac{{2, 0, 0, 0, 0, 0x99}};

Frame ipv4(std::uint8_t protocol, std::uint16_t id, std::uint16_t fragment, const Frame& body,
           const std::string& vip = "203.0.113.10") {
  const EthernetHeader ethernet{kGatewayMac, kClientMac, be16(kEtherTypeIpv4)};
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(static_cast<std::uint16_t>(20 + body.size()));
  ip.id = be16(id);
  ip.fragment = be16(fragment);
  ip.ttl = 64;
  ip.protocol = protocol;
  ip.source = v4("198.51.100.7");
  ip.destination = v4(vip);
  ip.checksum = checksum(&ip, sizeof ip);
  Frame frame(34);
  std::memcpy(frame.data(), &ethernet, sizeof ethernet);
  std::memcpy(frame.data() + 14, &ip, sizeof ip);
  frame.insert(frame.end(), body.begin(), body.end());
  return frame;
}

Frame tcp_body(std::uint16_t source_port, std::size_t payload) {
  TcpHeader tcp{};
  tcp.source_port = be16(source_port);
  tcp.destination_port = be16(80);
  tcp.data_offset = 5 << 4;
  tcp.flags = kTcpAck;
  Frame body(20 + payload);
  std::memcpy(body.data(), &tcp, sizeof tcp);
  for (std::size_t i = 0; i < payload; ++i) body[20 + i] = static_cast<std::uint8_t>(i % 251);
  return body;
}

Frame echo_request() {
  Frame body(64);
  body[0] = 8;
  const be16 sum = checksum(body.data(), body.size());
  std::memcpy(body.data() + 2, &sum, 2);
  return ipv4(kProtoIcmp, 1, 0, body);
}

Frame tagged(Frame frame) {
  const Frame tag{0x81, 0x00, 0x00, 0x64};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  return frame;
}

/// A capture that grows while the dataplane reads it, through a pipe. The worker waits in its driver for the
/// next frame, so strangers' frames must keep it going while it is configured.
class LiveCapture {
 public:
  explicit LiveCapture(std::string path) : path_(std::move(path)) { mkfifo(path_.c_str(), 0600); }
  ~LiveCapture() { join(); }

  void start(std::vector<Frame> frames) {
    writer_ = std::thread([this, frames = std::move(frames)] {
      const Frame stranger = ipv4(kProtoUdp, 1, 0, Frame(8), "192.0.2.77");
      std::ofstream out(path_, std::ios::binary);
      const PcapHeader header;
      out.write(reinterpret_cast<const char*>(&header), sizeof header);
      while (!configured_) {
        write(out, stranger);
        out.flush();
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      for (const Frame& frame : frames) write(out, frame);
    });
  }
  void send_all() { configured_ = true; }
  void join() {
    configured_ = true;
    if (writer_.joinable()) writer_.join();
  }

 private:
  static void write(std::ofstream& out, const Frame& frame) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const PcapRecord record{0, 0, size, size};
    out.write(reinterpret_cast<const char*>(&record), sizeof record);
    out.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
  }

  const std::string path_;
  std::atomic<bool> configured_{false};
  std::thread writer_;
};

class RarePackets : public ::testing::Test {
 protected:
  // What leaves for these frames, in order, but for the answers to none.
  std::vector<Frame> send(const std::vector<Frame>& frames, std::uint64_t expected_mtu,
                          std::vector<std::string> more = {}) {
    const std::string in = directory_.file("in.pcap");
    const std::string out = directory_.file("out.pcap");
    LiveCapture capture(in);
    capture.start(frames);
    std::vector<std::string> arguments{
        "--port",
        "net_pcap0,rx_pcap=" + in + ",tx_pcap=" + out,
        "--no-huge",
        "--socket",
        socket_,
        "--flows",
        "10000",
        "--idle",
        "pause",
        "--probe-interval-ms",
        "0",
        "--static-next-hop",
        "net_pcap0,mac=02:00:00:00:00:77,source_v4=192.0.2.1,mtu=" + std::to_string(expected_mtu)};
    arguments.insert(arguments.end(), more.begin(), more.end());
    DataplaneProcess process(arguments, directory_.file("log"));
    DataplaneClient client(socket_);
    EXPECT_TRUE(client.connected()) << process.log();
    EXPECT_TRUE(client.apply(one_service(1, "10.9.9.9")).accepted());
    const auto to_vip = [&] {
      const auto stats = client.stats();
      return stats.received_packets() - outcome(stats, "not_vip");
    };
    capture.send_all();
    EXPECT_TRUE(eventually([&] { return to_vip() == frames.size(); })) << process.log();
    stats_ = client.stats();
    capture.join();
    EXPECT_EQ(process.terminate(), 0) << process.log();
    return read_pcap(out);
  }

  TemporaryDirectory directory_;
  const std::string socket_ = directory_.file("dataplane.sock");
  proto::DataplaneStats stats_;
};

TEST_F(RarePackets, EchoIsAnsweredOutOfThePortThatAsked) {
  const auto frames = send({echo_request(), tagged(echo_request())}, 1500);
  ASSERT_EQ(frames.size(), 2U);
  const auto ethernet = read_at<EthernetHeader>(frames[0], 0);
  EXPECT_EQ(ethernet.destination, kClientMac);
  EXPECT_EQ(ethernet.source, kGatewayMac);
  EXPECT_EQ(read_at<Ipv4Header>(frames[0], 14).destination, v4("198.51.100.7"));
  EXPECT_EQ(frames[0].at(34), 0);
  EXPECT_EQ(checksum(frames[0].data() + 34, frames[0].size() - 34), be16(0));
  EXPECT_EQ(frames[1], tagged(frames[0]));
}

TEST_F(RarePackets, JumboFramesPassWholeThroughSeveralBuffers) {
  const Frame body = tcp_body(40001, 8900);
  Frame padded = ipv4(kProtoTcp, 1, 0, body);
  padded.resize(padded.size() + 200, 0xee);
  const auto frames = send({ipv4(kProtoTcp, 1, 0, body), padded}, 9000);
  ASSERT_EQ(frames.size(), 2U);
  for (const Frame& frame : frames) {
    ASSERT_EQ(frame.size(), 14 + 36 + 20 + body.size());
    EXPECT_TRUE(read_gue(frame).valid);
    EXPECT_TRUE(std::equal(body.begin(), body.end(), frame.begin() + 14 + 36 + 20));
  }
}

TEST_F(RarePackets, FragmentsThatCameEarlyLeaveBehindTheirFirst) {
  const Frame body = tcp_body(40002, 2000);
  const auto part = [&](std::size_t from, std::size_t to) {
    const bool more = to != body.size();
    return ipv4(kProtoTcp, 7, static_cast<std::uint16_t>(from / 8 | (more ? kIpv4MoreFragments : 0)),
                Frame(body.begin() + static_cast<long>(from), body.begin() + static_cast<long>(to)));
  };
  const auto frames = send({part(1600, body.size()), part(800, 1600), part(0, 800)}, 1500);
  ASSERT_EQ(frames.size(), 3U);
  for (const Frame& frame : frames) EXPECT_EQ(read_at<Ipv4Header>(frame, 14).destination, v4("10.9.9.9"));
  EXPECT_EQ(frames[0].size(), 14 + 36 + 20 + 800U);
  EXPECT_EQ(outcome(stats_, "held_fragment"), 2U);
  EXPECT_EQ(stats_.lcores(0).fragments_released(), 2U);
  EXPECT_EQ(stats_.lcores(0).extra_sent(), 2U);
  EXPECT_EQ(stats_.received_packets(), sum_of_outcomes(stats_));
}

TEST_F(RarePackets, WhatDoesNotFitIsAnsweredOrLeavesInFragments) {
  const Frame body = tcp_body(40004, 1460);
  const auto frames = send({ipv4(kProtoTcp, 1, kIpv4DontFragment, body), ipv4(kProtoTcp, 2, 0, body)}, 1500);
  ASSERT_EQ(frames.size(), 3U);
  const auto answer = read_at<Ipv4Header>(frames[0], 14);
  EXPECT_EQ(answer.protocol, kProtoIcmp);
  EXPECT_EQ(answer.destination, v4("198.51.100.7"));
  const auto icmp = read_at<IcmpHeader>(frames[0], 34);
  EXPECT_EQ(icmp.type, 3);
  EXPECT_EQ(icmp.code, 4);
  EXPECT_EQ(icmp.rest, be32(1500 - 36));
  const auto first = read_at<Ipv4Header>(frames[1], 14);
  const auto second = read_at<Ipv4Header>(frames[2], 14);
  EXPECT_EQ(first.fragment, be16(kIpv4MoreFragments));
  EXPECT_EQ(second.fragment, be16(1480 / 8));
  EXPECT_EQ(first.id, second.id);
  EXPECT_EQ(first.total_length.host() + second.total_length.host(), 1500 + 36 + 20);
  EXPECT_EQ(stats_.lcores(0).extra_sent(), 1U);
}

TEST_F(RarePackets, VlanTagsAreKeptUnlessThePortSaysOtherwise) {
  const Frame plain = ipv4(kProtoTcp, 1, 0, tcp_body(40003, 0));
  const auto kept = send({tagged(plain)}, 1500);
  ASSERT_EQ(kept.size(), 1U);
  EXPECT_EQ(read_at<EthernetHeader>(kept[0], 0).ether_type, be16(kEtherTypeVlan));
}

TEST_F(RarePackets, VlanTagsAreReplacedWhereThePortSaysSo) {
  const Frame plain = ipv4(kProtoTcp, 1, 0, tcp_body(40003, 0));
  const auto frames = send({plain, tagged(plain)}, 1500, {"--port-vlan", "net_pcap0=7"});
  ASSERT_EQ(frames.size(), 2U);
  Frame expected = frames[0];
  const Frame tag{0x81, 0x00, 0x00, 0x07};
  expected.insert(expected.begin() + 12, tag.begin(), tag.end());
  EXPECT_EQ(frames[1], expected);
}

}  // namespace
}  // namespace penstock

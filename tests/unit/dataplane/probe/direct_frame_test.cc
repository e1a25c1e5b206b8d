// A direct check's frames beside what the pipeline makes of the same packet of a client.
#include "dataplane/probe/direct_frame.h"

#include <gtest/gtest.h>

#include "penstock/net/checksum.h"
#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

constexpr std::size_t kEthernet = 14;

DirectPacket packet_to(bool v6, std::uint8_t protocol) {
  DirectPacket p;
  p.source = ip(v6 ? "2001:db8:ff::1" : "192.0.2.1");
  p.destination = ip(v6 ? "2001:db8:beef::10" : "203.0.113.10");
  p.source_port = 61128;
  p.destination_port = 80;
  p.protocol = protocol;
  p.flags = kTcpSyn;
  p.sequence = 0x12345678;
  p.mss = protocol == kProtoTcp ? 880 : 0;
  return p;
}

Bytes written(const BackendRecord& record, const DirectPacket& packet) {
  Bytes frame(1000);
  frame.resize(write_direct_frame(record, packet, frame));
  return frame;
}

/// What differs by design is made the same: the inner packet's age (own packets are new), and entropy.
Bytes normalised(Bytes frame, const BackendRecord& record, bool inner_v6) {
  std::uint8_t* const inner = frame.data() + kEthernet + record.overhead;
  if (inner_v6) {
    inner[7] = 64;
  } else if (!record.has(BackendRecord::kLinkOnly)) {
    inner[8] = 64;
    inner[10] = inner[11] = 0;
    const be16 sum = checksum(inner, 20);
    std::memcpy(inner + 10, &sum, 2);
  }
  if (record.has(BackendRecord::kLinkOnly)) return frame;
  std::uint8_t* const outer = frame.data() + kEthernet;
  const bool v6 = record.has(BackendRecord::kOuterV6);
  if (v6) outer[1] &= 0xf0, outer[2] = outer[3] = 0;
  if (record.has(BackendRecord::kUdp)) outer[v6 ? 40 : 20] = outer[v6 ? 41 : 21] = 0;
  return frame;
}

TEST(DirectFrame, IsWhatThePipelineMakesOfAClientsPacket) {
  for (const Encap encap : {Encap::kGue, Encap::kIpip, Encap::kGre, Encap::kVxlan, Encap::kL2dsr}) {
    for (const bool outer_v6 : {false, true}) {
      for (const bool inner_v6 : {false, true}) {
        for (const std::uint8_t protocol : {kProtoTcp, kProtoUdp}) {
          if (encap == Encap::kL2dsr && outer_v6 != inner_v6) continue;
          SCOPED_TRACE(::testing::Message()
                       << static_cast<int>(encap) << outer_v6 << inner_v6 << int{protocol});
          const DirectPacket packet = packet_to(inner_v6, protocol);
          BackendDocument backend{"be1", ip(outer_v6 ? "2001:db8::21" : "10.0.0.21")};
          backend.mac = {{2, 0, 0, 0, 0, 0xc0}};
          ServiceDocument web = service("web", packet.destination.text(), protocol, 80, encap, {backend});
          if (encap == Encap::kGre) web.forwarding.gre_key = 7;
          if (encap == Encap::kVxlan) web.forwarding.vxlan_vni = 9;
          const NextHop hop = next_hop(outer_v6);
          const BackendRecord record = make_backend_record(web, 0, backend, &hop);
          const Bytes ours = written(record, packet);
          ASSERT_FALSE(ours.empty());
          // The same packet as a client would send it.
          Bytes bare(ours.begin() + static_cast<std::ptrdiff_t>(record.overhead), ours.end());
          const std::uint8_t ethernet[] = {2,
                                           0,
                                           0,
                                           0,
                                           0,
                                           0xa0,
                                           2,
                                           0,
                                           0,
                                           0,
                                           0,
                                           1,
                                           static_cast<std::uint8_t>(inner_v6 ? 0x86 : 0x08),
                                           static_cast<std::uint8_t>(inner_v6 ? 0xdd : 0x00)};
          std::copy(std::begin(ethernet), std::end(ethernet), bare.begin());
          Harness harness;
          harness.apply({web});
          const auto answers = harness.run({bare});
          ASSERT_EQ(answers[0].outcome, Outcome::kForwarded);
          EXPECT_EQ(normalised(ours, record, inner_v6), normalised(answers[0].frame, record, inner_v6));
          EXPECT_EQ(record.egress_port, answers[0].port);
        }
      }
    }
  }
}

TEST(DirectFrame, IsNotWrittenWithoutAWayOrRoom) {
  const BackendDocument backend{"be1", ip("10.0.0.21")};
  const ServiceDocument web = service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, {backend});
  const NextHop hop = next_hop(false), narrow = next_hop(false, 60);
  const BackendRecord record = make_backend_record(web, 0, backend, &hop);
  const DirectPacket packet = packet_to(false, kProtoTcp);
  EXPECT_TRUE(written(make_backend_record(web, 0, backend, nullptr), packet).empty());
  EXPECT_TRUE(written(make_backend_record(web, 0, backend, &narrow), packet).empty());
  const std::size_t whole = written(record, packet).size();
  for (std::size_t room = 0; room < whole; ++room) {
    Bytes frame(room);
    EXPECT_EQ(write_direct_frame(record, packet, frame), 0U);
  }
  Bytes frame(whole);
  EXPECT_EQ(write_direct_frame(record, packet, frame), whole);
}

TEST(DirectFrame, PutsAnOuterUdpChecksumWhereTheServiceWantsOne) {
  const BackendDocument backend{"be1", ip("2001:db8::21")};
  ServiceDocument web = service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, {backend});
  web.forwarding.udp_checksum = true;
  const NextHop hop = next_hop(true);
  const Bytes frame = written(make_backend_record(web, 0, backend, &hop), packet_to(false, kProtoTcp));
  const std::size_t udp = kEthernet + 40;
  std::uint64_t sum = be16(static_cast<std::uint16_t>(frame.size() - udp)).raw() + be16(kProtoUdp).raw();
  sum = checksum_add(sum, frame.data() + kEthernet + 8, 32);
  EXPECT_EQ(checksum_fold_raw(checksum_add(sum, frame.data() + udp, frame.size() - udp)), 0xffff);
}

}  // namespace
}  // namespace penstock::test

#include "dataplane/config/backend_record.h"

#include <gtest/gtest.h>

namespace penstock {
namespace {

IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

ServiceDocument service(Encap encap) {
  ServiceDocument out;
  out.key = {ip("203.0.113.10"), kProtoUdp, 80};
  out.encap = encap;
  out.backends = {{"be1", ip("10.0.0.1")}};
  return out;
}

NextHop hop(const char* source) { return {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 9}}, ip(source), 1, 1500}; }

BackendRecord record_of(const ServiceDocument& s, const NextHop& next_hop) {
  return make_backend_record(s, 3, s.backends[0], &next_hop);
}

TEST(BackendRecord, OverheadIsThatOfTheHeaders) {
  ServiceDocument keyed = service(Encap::kGre);
  keyed.forwarding.gre_key = 0;
  EXPECT_EQ(outer_overhead(service(Encap::kIpip), false), 20U);
  EXPECT_EQ(outer_overhead(service(Encap::kGue), true), 56U);
  EXPECT_EQ(outer_overhead(service(Encap::kGre), false), 24U);
  EXPECT_EQ(outer_overhead(keyed, true), 48U);
  EXPECT_EQ(outer_overhead(service(Encap::kVxlan), false), 50U);
  EXPECT_EQ(outer_overhead(service(Encap::kVxlan), true), 70U);
  EXPECT_EQ(outer_overhead(service(Encap::kL2dsr), true), 0U);
  EXPECT_EQ(outer_overhead(service(Encap::kNat), false), 0U);
}

TEST(BackendRecord, OnlyModesThatNeedNothingElseTakeThePlainPath) {
  const NextHop next_hop = hop("192.0.2.1");
  for (const Encap plain : {Encap::kGue, Encap::kIpip, Encap::kGre}) {
    EXPECT_EQ(record_of(service(plain), next_hop).plain_mtu, 1500);
  }
  for (const Encap other : {Encap::kVxlan, Encap::kL2dsr, Encap::kNat}) {
    EXPECT_EQ(record_of(service(other), next_hop).plain_mtu, 0);
    EXPECT_EQ(record_of(service(other), next_hop).mtu, 1500);
  }
  ServiceDocument summed = service(Encap::kGue);
  summed.forwarding.udp_checksum = true;
  EXPECT_EQ(record_of(summed, next_hop).plain_mtu, 0);
}

TEST(BackendRecord, L2dsrNeedsTheBackendItselfOnTheLink) {
  NextHop next_hop = hop("192.0.2.1");
  EXPECT_TRUE(record_of(service(Encap::kL2dsr), next_hop).has(BackendRecord::kResolved));
  next_hop.via_router = true;
  EXPECT_FALSE(record_of(service(Encap::kL2dsr), next_hop).has(BackendRecord::kResolved));
  EXPECT_TRUE(record_of(service(Encap::kVxlan), next_hop).has(BackendRecord::kResolved));
}

TEST(BackendRecord, SaysWhereItsPacketsGoAndWhatBecomesOfLongOnes) {
  for (const Encap encap :
       {Encap::kGue, Encap::kIpip, Encap::kGre, Encap::kVxlan, Encap::kL2dsr, Encap::kNat}) {
    for (const bool v6 : {false, true}) {
      ServiceDocument s = service(encap);
      if (v6) s.backends[0].address = ip("2001:db8::1");
      s.forwarding.too_big = v6 ? TooBig::kFragment : TooBig::kReply;
      const BackendRecord record = record_of(s, hop(v6 ? "2001:db8::ff" : "192.0.2.1"));
      ASSERT_TRUE(record.has(BackendRecord::kResolved));
      EXPECT_EQ(record.next_hop_mac()->text(), "02:00:00:00:00:09");
      EXPECT_EQ(record.has(BackendRecord::kFragmentOuter), v6);
      EXPECT_GE(record.first_header(), record.headers);
      EXPECT_EQ(record.first_header()[12], v6 ? 0x86 : 0x08);
    }
  }
}

}  // namespace
}  // namespace penstock

// bpf/decap.bpf.c in the running kernel, by BPF_PROG_TEST_RUN: the packet table that scapy wrote, and what
// must hold for packets that nobody wrote down.
#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "tests/unit/bpf/decap_fixture.h"

namespace penstock {
namespace {

class Decap : public DecapFixture {};

struct PacketCase {
  const char* what;
  const char* in;
  decap_outcome outcome;
  const char* out;  // "=" for the packet as it came
};

constexpr PacketCase kCases[] = {
#include "packets.inc"
};

TEST_F(Decap, EveryPacketOfTheTableLeavesAsScapySays) {
  for (const PacketCase& c : kCases) {
    SCOPED_TRACE(c.what);
    const Bytes in = decode(c.in);
    const Bytes out = std::string(c.out) == "=" ? in : decode(c.out);
    const auto before = outcomes();
    const auto counted_before = counted();
    const Verdict result = run(in);
    const int moved = moved_since(before);
    EXPECT_STREQ(moved < 0 ? "" : kOutcomeNames[static_cast<std::size_t>(moved)],
                 kOutcomeNames[static_cast<std::size_t>(c.outcome)]);
    const bool dropped = c.outcome >= PENSTOCK_DECAP_FIRST_DROP;
    const bool sent = !dropped && c.outcome >= PENSTOCK_DECAP_FIRST_SENT;
    EXPECT_EQ(result.action, static_cast<std::uint32_t>(dropped ? XDP_DROP : sent ? XDP_TX : XDP_PASS));
    if (!dropped) {
      const auto differ = std::mismatch(out.begin(), out.end(), result.out.begin(), result.out.end()).first;
      EXPECT_TRUE(result.out == out) << "other bytes than scapy's from " << differ - out.begin() << " on";
    }
    const std::uint64_t taken = c.outcome == DECAP_DECAPSULATED ? 1 : 0;
    EXPECT_EQ(counted().packets, counted_before.packets + taken);
  }
  std::cout << std::size(kCases) << " packets\n";
}

TEST_F(Decap, BytesAreThoseOfTheInnerPacket) {
  const auto& c = kCases[0];
  const Bytes out = decode(c.out);
  run(decode(c.in));
  EXPECT_EQ(counted().packets, 1u);
  EXPECT_EQ(counted().bytes, out.size() - 14);
}

TEST_F(Decap, NoPrefixOfAGoodPacketIsDecapsulated) {
  std::size_t runs = 0;
  for (const PacketCase& c : kCases) {
    const Bytes whole = decode(c.in);
    if (c.outcome != DECAP_DECAPSULATED || whole.size() > 400) continue;
    if (std::string(c.what).find("allowed") != std::string::npos)
      continue;  // its tail is no part of a packet
    SCOPED_TRACE(c.what);
    for (std::size_t length = 14; length < whole.size(); ++length) {
      const auto before = outcomes();
      const Verdict result = run(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
      ASSERT_NE(moved_since(before), DECAP_DECAPSULATED) << "at " << length << " bytes";
      if (result.action == XDP_PASS) {
        ASSERT_EQ(result.out.size(), length) << "a passed packet is left alone";
      }
      ++runs;
    }
  }
  std::cout << runs << " prefixes\n";
}

TEST_F(Decap, DamagedHeadersNeverReachAnythingButAConfiguredVip) {
  const auto seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937 random(seed);
  std::vector<Bytes> packets;
  for (const PacketCase& c : kCases) {
    if (Bytes p = decode(c.in); p.size() <= 400) packets.push_back(std::move(p));
  }
  // The VIPs of SetUp(); those within 198.18.0.0/16 are covered by it.
  std::vector<VipKey> vips;
  for (const char* text : {"203.0.113.10", "198.18.0.0/16", "2001:db8:5::10", "2001:db8:77::/64"}) {
    const VipPrefix vip = parse_vip(text).value();
    vips.push_back({vip.first, 0, 0, 0, vip.length});
  }
  const auto sum = [](const std::vector<std::uint64_t>& v) {
    return std::accumulate(v.begin(), v.end(), 0ul);
  };
  const auto start = sum(outcomes());
  constexpr int kRuns = 20'000;
  for (int i = 0; i < kRuns; ++i) {
    Bytes p = packets[random() % packets.size()];
    for (unsigned n = 1 + random() % 4; n > 0; --n)
      p[random() % std::min<std::size_t>(p.size(), 200)] = static_cast<std::uint8_t>(random());
    const Verdict result = run(p);
    if (result.action == XDP_DROP) continue;
    if (result.action == XDP_TX) {
      ASSERT_EQ(result.out.size(), p.size()) << "run " << i << ": nothing that is sent is longer";
      continue;
    }
    ASSERT_EQ(result.action, static_cast<std::uint32_t>(XDP_PASS));
    if (result.out == p) continue;
    const std::size_t l3 = result.out[12] == 0x81 || result.out[12] == 0x88 ? 18 : 14;
    const std::uint8_t* ip = result.out.data() + l3;
    Ipv4Addr to4;
    Ipv6Addr to6;
    std::copy_n(ip + 16, to4.bytes.size(), to4.bytes.begin());
    std::copy_n(ip + 24, to6.bytes.size(), to6.bytes.begin());
    const IpAddr to = ip[0] >> 4 == 4 ? IpAddr(to4) : IpAddr(to6);
    ASSERT_TRUE(std::any_of(vips.begin(), vips.end(), [&](const VipKey& vip) { return covers(vip, to); }))
        << "run " << i << " to " << to.text();
  }
  EXPECT_EQ(sum(outcomes()), start + kRuns) << "received = sum of outcomes";
}

TEST_F(Decap, APacketIsCountedForTheServiceThatComesFirst) {
  struct Case {
    const char* what;
    const char* vip;
    std::uint16_t first, last;
    abi_u8 protocol, bits;
  };
  for (const Case& c : {Case{"prefix: TCP within a range", "198.18.0.0", 8000, 8999, 6, 16},
                        {"prefix: TCP beyond the range", "198.18.0.0", 0, 0, 255, 16},
                        {"prefix: one port of UDP", "198.18.0.0", 53, 0, 17, 16},
                        {"prefix: ping", "198.18.0.0", 0, 0, 0, 16},
                        {"prefix: SCTP of the longer one", "198.18.7.0", 0, 0, 132, 24},
                        {"address within prefixes: its port", "198.18.7.7", 80, 0, 6, 0},
                        {"address within prefixes: another port", "198.18.0.0", 8000, 8999, 6, 16}}) {
    SCOPED_TRACE(c.what);
    const auto* row = std::find_if(std::begin(kCases), std::end(kCases),
                                   [&](const PacketCase& p) { return std::string(p.what) == c.what; });
    ASSERT_NE(row, std::end(kCases));
    const abi_service_key key{key_of(c.vip), htons(c.first), htons(c.last), c.protocol, c.bits, {}};
    const auto packets = [&] {
      std::vector<decap_counters> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
      EXPECT_EQ(bpf_map_lookup_elem(fd(program_->maps.decap_services), &key, per_cpu.data()), 0);
      std::uint64_t sum = 0;
      for (const auto& counters : per_cpu) sum += counters.packets;
      return sum;
    };
    const std::uint64_t before = packets();
    run(decode(row->in));
    EXPECT_EQ(packets(), before + 1);
  }
}

TEST_F(Decap, RemovedServiceIsRefusedAtOnce) {
  const Bytes packet = decode(kCases[0].in);
  const abi_service_key key{key_of("203.0.113.10"), htons(80), 0, 6, 0, {}};
  EXPECT_EQ(run(packet).action, static_cast<std::uint32_t>(XDP_PASS));
  ASSERT_EQ(bpf_map_delete_elem(fd(program_->maps.decap_services), &key), 0);
  EXPECT_EQ(run(packet).action, static_cast<std::uint32_t>(XDP_DROP));
}

TEST_F(Decap, AUsualAddressIsOursAndNoOtherBecomesIt) {
  const Bytes inner = tcp_packet("198.51.100.7", 40000, "203.0.113.10", 80);
  const auto action = [&](const char* from, const char* to) {
    return run(gue_frame(from, to, inner)).action;
  };
  constexpr auto kTaken = DECAP_DECAPSULATED, kNot = DECAP_PASSED_NOT_OURS;
  const auto outcome = [&](const char* from, const char* to) {
    const auto before = outcomes();
    EXPECT_EQ(action(from, to), static_cast<std::uint32_t>(XDP_PASS));
    return moved_since(before);
  };
  EXPECT_EQ(outcome("fd00:31::1", "::"), kNot) << "nothing is set";
  set_usual("10.0.31.77", "fd00:31::77");
  EXPECT_EQ(outcome("10.0.31.1", "10.0.31.77"), kTaken);
  EXPECT_EQ(outcome("fd00:31::1", "fd00:31::77"), kTaken);
  EXPECT_EQ(outcome("10.0.31.1", "10.0.31.2"), kTaken) << "by the look-up";
  EXPECT_EQ(outcome("fd00:31::1", "fd00:31::2"), kTaken);
  for (const char* v6 : {"fd00:31::78", "fd00:32::77", "::ffff:10.0.31.77", "::"})
    EXPECT_EQ(outcome("fd00:31::1", v6), kNot) << v6;
  for (const char* v4 : {"10.0.31.78", "0.0.0.0"}) EXPECT_EQ(outcome("10.0.31.1", v4), kNot) << v4;
}

TEST_F(Decap, StaysFarBelowTheVerifiersLimit) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof info;
  ASSERT_EQ(bpf_obj_get_info_by_fd(bpf_program__fd(program_->progs.penstock_decap), &info, &size), 0);
  std::cout << "penstock_decap: " << info.xlated_prog_len / 8 << " instructions, " << info.verified_insns
            << " verified, " << info.jited_prog_len << " bytes jited\n";
  EXPECT_LT(info.verified_insns, 100'000u) << "a tenth of what the kernel allows";
  EXPECT_STREQ(info.name, PENSTOCK_DECAP_PROGRAM);
}

}  // namespace
}  // namespace penstock

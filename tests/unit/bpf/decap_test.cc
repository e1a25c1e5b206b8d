// bpf/decap.bpf.c in the running kernel, by BPF_PROG_TEST_RUN: the packet table that scapy wrote, and what
// must hold for packets that nobody wrote down.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "decap.skel.h"
#include "penstock/abi/decap.h"
#include "penstock/config/vip_prefix.h"
#include "penstock/net/addr.h"

namespace penstock {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct PacketCase {
  const char* what;
  const char* in;
  decap_outcome outcome;
  const char* out;  // "=" for the packet as it came
};

constexpr PacketCase kCases[] = {
#include "packets.inc"
};

constexpr std::array kOutcomeNames = {
#define PENSTOCK_NAME(name, metric, what) metric,
    PENSTOCK_DECAP_OUTCOMES(PENSTOCK_NAME)
#undef PENSTOCK_NAME
};

Bytes decode(const std::string& text) {
  Bytes out;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] == 'z') {
      const std::size_t end = text.find('.', i);
      out.resize(out.size() + std::stoul(text.substr(i + 1, end - i - 1)));
      i = end + 1;
    } else {
      out.push_back(static_cast<std::uint8_t>(std::stoul(text.substr(i, 2), nullptr, 16)));
      i += 2;
    }
  }
  return out;
}

abi_address key_of(const char* text) {
  const IpAddr address = IpAddr::parse(text).value();
  abi_address key{};
  if (address.is_v6()) {
    std::copy_n(address.data(), 16, key.bytes);
  } else {
    key.bytes[10] = key.bytes[11] = 0xff;
    std::copy_n(address.data(), 4, key.bytes + 12);
  }
  return key;
}

struct Verdict {
  std::uint32_t action = 0;
  Bytes out;
};

class Decap : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "loading a BPF program needs root";
    libbpf_set_print(nullptr);
    program_.reset(decap_bpf__open_and_load());
    ASSERT_NE(program_, nullptr) << "the verifier refused decap.bpf.c; see `bpftool prog load`";
    for (const char* text : {"10.0.31.2", "fd00:31::2"}) {
      const abi_address key = key_of(text);
      const abi_u8 present = 1;
      ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_addresses), &key, &present, BPF_ANY), 0);
    }
    for (const char* vip : {"203.0.113.10", "2001:db8:5::10"}) {
      const std::vector<decap_counters> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
      add_vip(vip, 0, {});
      for (const auto& [protocol, port] : {std::pair{6, 80}, std::pair{17, 7}}) {
        add_service(
            {key_of(vip), htons(static_cast<std::uint16_t>(port)), 0, static_cast<abi_u8>(protocol), 0, {}});
      }
    }
    // Longest prefix first, one port before a range before every port before any protocol: packets.inc has
    // a case for each step. bpf/agent sorts rules in this order.
    add_vip("198.18.0.0", 16, {{8000, 8999, 6, 0}, {0, 65535, 255, 0}});
    add_service({key_of("198.18.0.0"), htons(53), 0, 17, 16, {}});
    add_vip("198.18.7.0", 24, {{0, 65535, 132, 0}});
    add_vip("198.18.7.7", 0, {});
    add_service({key_of("198.18.7.7"), htons(80), 0, 6, 0, {}});
    add_vip("2001:db8:77::", 64, {{1000, 1001, 17, 0}, {0, 65535, 6, 0}});
  }

  void add_service(const abi_service_key& key) {
    const std::vector<decap_counters> zero(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_services), &key, zero.data(), BPF_ANY), 0);
  }

  /// The VIP or VIP prefix, its own entry among the services, and those of its services in `rules`.
  void add_vip(const char* first, abi_u8 bits, const std::vector<decap_rule>& rules) {
    const abi_address address = key_of(first);
    const bool v4 = std::string(first).find(':') == std::string::npos;
    const abi_prefix prefix{bits == 0 ? 128u : bits + (v4 ? 96u : 0u), address};
    decap_vip vip{};
    vip.first = address;
    vip.prefix_length = bits;
    for (const decap_rule& rule : rules) {
      vip.rules[vip.rule_count++] = rule;
      add_service({address,
                   htons(rule.first_port),
                   rule.first_port == 0 ? abi_u16{0} : htons(rule.last_port),
                   rule.protocol,
                   bits,
                   {}});
    }
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.decap_vips), &prefix, &vip, BPF_ANY), 0);
    add_service({address, 0, 0, 0, bits, {}});
  }

  static int fd(const bpf_map* map) { return bpf_map__fd(map); }

  Verdict run(const Bytes& packet) {
    Verdict result;
    result.out.resize(packet.size() + 256);
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = static_cast<std::uint32_t>(packet.size());
    options.data_out = result.out.data();
    options.data_size_out = static_cast<std::uint32_t>(result.out.size());
    options.repeat = 1;
    EXPECT_EQ(bpf_prog_test_run_opts(bpf_program__fd(program_->progs.penstock_decap), &options), 0)
        << strerror(errno);
    result.action = options.retval;
    result.out.resize(options.data_size_out);
    return result;
  }

  std::vector<std::uint64_t> outcomes() const {
    std::vector<std::uint64_t> sums;
    std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t i = 0; i < DECAP_OUTCOME_COUNT; ++i) {
      EXPECT_EQ(bpf_map_lookup_elem(fd(program_->maps.decap_outcomes), &i, per_cpu.data()), 0);
      sums.push_back(0);
      for (const std::uint64_t n : per_cpu) sums.back() += n;
    }
    return sums;
  }

  /// The one outcome whose counter moved by one since `before`; fails on none or several.
  int moved_since(const std::vector<std::uint64_t>& before) const {
    const auto after = outcomes();
    int moved = -1;
    for (int i = 0; i < DECAP_OUTCOME_COUNT; ++i) {
      const auto n = static_cast<std::size_t>(i);
      if (after[n] == before[n]) continue;
      EXPECT_EQ(after[n], before[n] + 1);
      EXPECT_EQ(moved, -1) << "counted twice: " << kOutcomeNames[n];
      moved = i;
    }
    EXPECT_NE(moved, -1) << "not counted";
    return moved;
  }

  template <class Key>
  decap_counters total(const bpf_map* map) const {
    decap_counters sum{};
    std::vector<decap_counters> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
    Key key{};
    const void* previous = nullptr;
    while (bpf_map_get_next_key(fd(map), previous, &key) == 0) {
      EXPECT_EQ(bpf_map_lookup_elem(fd(map), &key, per_cpu.data()), 0);
      for (const auto& c : per_cpu) sum.packets += c.packets, sum.bytes += c.bytes;
      previous = &key;
    }
    return sum;
  }

  decap_counters counted() const { return total<abi_service_key>(program_->maps.decap_services); }

  struct Destroy {
    void operator()(decap_bpf* p) const { decap_bpf__destroy(p); }
  };
  std::unique_ptr<decap_bpf, Destroy> program_;
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
    EXPECT_EQ(result.action, static_cast<std::uint32_t>(dropped ? XDP_DROP : XDP_PASS));
    if (!dropped) {
      EXPECT_TRUE(result.out == out) << "other bytes than scapy's";
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
